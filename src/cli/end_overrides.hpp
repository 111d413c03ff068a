#pragma once

#include <pystream/registry.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plan/plan_json.hpp"

namespace pystream::cli {

/// --input and --output as overrides of the source's and the sink's parameters; empty: not given.
/// An output sets `directory` if it is a folder, or if there is nothing of that name and it ends with "/" or the plan's
/// sink has a `directory`; else `path`. Of the two, the one that is not set gets its default. Throws BadUsage for a
/// regular file where the plan wants a folder.
std::vector<plan::ParamOverride> end_overrides(std::string_view plan_text, std::span<const StageType> types,
                                               const std::string& input, const std::string& output);

}  // namespace pystream::cli
