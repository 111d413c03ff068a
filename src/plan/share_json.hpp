#pragma once

#include <optional>
#include <pystream/params.hpp>
#include <string>
#include <vector>

#include "plan/plan_json.hpp"
#include "plan/share.hpp"

namespace pystream::plan {

/// The value of a plan's "share".
SharePolicy read_share(const ParamValue& value, const std::string& where, std::vector<PlanFault>& faults);
/// nullopt: the default.
std::optional<ParamValue> share_value(const SharePolicy& share);

}  // namespace pystream::plan
