#pragma once

#include <sys/types.h>

#include <vector>

#include "coord/live_status.hpp"

namespace pystream::coord {

struct RunningPipelines {
  std::vector<LiveStatus> answered;
  std::vector<pid_t> silent;  ///< run and do not answer, as after Ctrl-Z
};

/// Pipelines of this user. Those that do not answer cost `timeout_ms` each.
RunningPipelines running_pipelines(int timeout_ms = 2000);

}  // namespace pystream::coord
