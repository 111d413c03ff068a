#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "coord/live_status.hpp"

namespace pystream::cli {

struct RunningPipelines {
  std::vector<coord::LiveStatus> answered;
  std::vector<pid_t> silent;  ///< run and do not answer, as after Ctrl-Z
};

/// Pipelines of this user.
RunningPipelines running_pipelines();
/// "process 4711 does not answer; ..." for each that is silent; empty if none is.
std::string text_of_silent(const RunningPipelines& running);
/// The one that `which` names: a pipeline's name, its run or its process id; empty: the only one. Throws Error.
coord::LiveStatus find_pipeline(const std::string& which);

}  // namespace pystream::cli
