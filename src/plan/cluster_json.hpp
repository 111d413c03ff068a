#pragma once

#include <pystream/params.hpp>
#include <string>
#include <vector>

#include "plan/cluster.hpp"
#include "plan/plan_json.hpp"

namespace pystream::plan {

/// The value of a plan's "cluster".
Cluster read_cluster(const ParamValue& value, const std::string& where, std::vector<PlanFault>& faults);
/// What read_cluster() reads, without what has its default.
ParamValue cluster_value(const Cluster& cluster);

}  // namespace pystream::plan
