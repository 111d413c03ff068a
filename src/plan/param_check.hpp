#pragma once

#include <optional>
#include <pystream/params.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "plan/plan_json.hpp"

namespace pystream::plan {

/// How durations may stand in a document: people must write a unit, write_plan() and defaults in C++ need none.
enum class DurationForm { text, text_or_nanoseconds };

/// `value` as `spec` wants it (sizes as bytes, durations as nanoseconds, numbers as double);
/// nullopt if it is of another type or out of range.
std::optional<ParamValue> fit_param(const ParamValue& value, const ParamSpec& spec,
                                    DurationForm form = DurationForm::text);

/// A size or duration as plans write it, "64MiB", "100ms"; other numbers as they are.
std::string amount_text(double amount, ParamType type);

/// What `spec` accepts, for messages: "an integer from 1 to 100".
std::string accepted_by(const ParamSpec& spec);

PlanFault misfit_fault(std::string where, const ParamValue& value, const ParamSpec& spec);

const ParamSpec* find_spec(const std::vector<ParamSpec>& specs, std::string_view name);
std::vector<std::string> names_of(const std::vector<ParamSpec>& specs);

}  // namespace pystream::plan
