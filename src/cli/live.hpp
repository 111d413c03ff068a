#pragma once

#include <string>

#include "coord/running_pipelines.hpp"

namespace pystream::cli {

/// "process 4711 does not answer; ..." for each that is silent; empty if none is.
std::string text_of_silent(const coord::RunningPipelines& running);
/// The one that `which` names: a pipeline's name, its run or its process id; empty: the only one. Throws Error.
coord::LiveStatus find_pipeline(const std::string& which);
/// The part with the source, of a run of a plan over several hosts that `which` names; empty: the only one. Throws
/// Error.
coord::LiveStatus find_first_part(const std::string& which);

}  // namespace pystream::cli
