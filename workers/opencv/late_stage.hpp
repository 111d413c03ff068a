#pragma once

#include <memory>
#include <pystream/registry.hpp>
#include <string>

/// Stage types whose classes stand in a library of their own. OpenCV's modules for image files and films bring hundreds
/// of libraries with them: to load them costs 0.1 s of processor time, in every worker that loads the plugin, at its
/// start and after each death. So the plugin itself only describes these stages, and loads the library for the
/// worker that makes one.
namespace pystream::opencv {

/// Makes a stage of one of a library's types.
using MakeLateStage = std::unique_ptr<StageAdapter> (*)(const std::string& type, const Params& params);

/// The name under which a library keeps its MakeLateStage.
inline constexpr const char* kMakeLateStage = "pystream_opencv_make";

/// The type as the plugin registers it; `library` stands beside the plugin.
StageType late_stage(StageType type, std::string library);

}  // namespace pystream::opencv
