#pragma once

#include <string>

#include "plan/plan.hpp"

namespace pystream::plan {

/// 16 hexadecimal digits that say what becomes of the items: equal for the same plan on every machine, in whatever
/// order its keys stand. What may differ from machine to machine does not count: the addresses, credentials and
/// certificates of the cluster, the paths of plugins, and the profiler. It guards against mistakes, not against
/// attacks. REQUIRES: as write_plan().
std::string plan_hash(const Plan& plan);

}  // namespace pystream::plan
