#pragma once

#include <string>
#include <vector>

#include "coord/live_status.hpp"

namespace pystream::cli {

/// Running pipelines of this user, those that do not answer left out.
std::vector<coord::LiveStatus> running_pipelines();
/// The one that `which` names: a pipeline's name, its run or its process id; empty: the only one. Throws Error.
coord::LiveStatus find_pipeline(const std::string& which);

}  // namespace pystream::cli
