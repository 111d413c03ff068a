#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <pystream/error.hpp>
#include <pystream/registry.hpp>
#include <span>
#include <string>
#include <vector>

/// What the stage types of plugins say about themselves. A coordinator never loads user code: it asks the worker
/// program, in a process of its own.
namespace pystream::coord {

/// A plugin that is missing, cannot be loaded, or takes the worker program down with it.
class PluginError : public Error {
 public:
  PluginError(std::string plugin, const std::string& message) : Error(message), plugin_(std::move(plugin)) {}
  const std::string& plugin() const noexcept { return plugin_; }  ///< as it was given

 private:
  std::string plugin_;
};

/// The worker program: `wanted`, else the environment variable PYSTREAM_WORKER, else pystream-worker beside this
/// program, in the build folder of this library, or where it is installed.
/// Throws Error that lists the folders searched.
std::filesystem::path find_worker_program(const std::string& wanted = {});

struct InspectLimits {
  std::chrono::milliseconds deadline = std::chrono::seconds(30);  ///< of one run of the worker program
  std::size_t output = 16 << 20;
};

/// The stage types that a worker knows by itself and those of `plugins`. Throws PluginError if one of them is at
/// fault, Error if the worker program itself does not work.
std::vector<StageType> inspect_plugins(const std::filesystem::path& worker_program,
                                       std::span<const std::string> plugins, const InspectLimits& limits = {});

}  // namespace pystream::coord
