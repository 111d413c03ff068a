#pragma once

#include <pystream/registry.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plan/plan_json.hpp"

namespace pystream::cli {

/// --input and --output as overrides of the source's and the sink's parameters; empty: not given.
/// An output that ends with "/" or is a folder sets `directory`, else `path`, as far as the sink has both; of the
/// two, the one that is not set gets its default.
std::vector<plan::ParamOverride> end_overrides(std::string_view plan_text, std::span<const StageType> types,
                                               const std::string& input, const std::string& output);

}  // namespace pystream::cli
