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
/// The value of "tls" in it, and of the parameter of the same name of the stages that use it.
ParamMap tls_value(const TlsFiles& tls);

}  // namespace pystream::plan
