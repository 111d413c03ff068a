#pragma once

#include <string>
#include <vector>

#include "plan/plan.hpp"

namespace pystream::cli {

/// Sets the replicas of what has `"replicas": "auto"`: as many as the profile of the newest run named `run` recommends,
/// at most one for each core, and 1 where there is no such run. A sentence for each of them. The profile is read by
/// another process, `pystream-coord advise`, as one that starts workers must not open the database.
std::vector<std::string> choose_replicas(plan::Plan& plan, const std::string& run);

}  // namespace pystream::cli
