#include "plan/param_check.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "plan/json.hpp"
#include "plan/suggest.hpp"

namespace pystream::plan {
namespace {

constexpr double kExactIntegers = 9007199254740992.;  // 2^53: doubles beyond it are not exact integers

std::optional<std::int64_t> as_integer(const ParamValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    return *integer;
  }
  const auto* number = std::get_if<double>(&value);
  if (number == nullptr || std::abs(*number) > kExactIntegers || std::trunc(*number) != *number) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(*number);
}

std::optional<double> as_number(const ParamValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    return static_cast<double>(*integer);
  }
  const auto* number = std::get_if<double>(&value);
  return number != nullptr && std::isfinite(*number) ? std::optional(*number) : std::nullopt;
}

std::optional<std::int64_t> as_bytes(const ParamValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    const auto bytes = parse_size(*text);
    const bool fits = bytes && *bytes <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    return fits ? std::optional(static_cast<std::int64_t>(*bytes)) : std::nullopt;
  }
  const auto bytes = as_integer(value);
  return bytes && *bytes >= 0 ? bytes : std::nullopt;
}

std::optional<std::int64_t> as_nanoseconds(const ParamValue& value, DurationForm form) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    const auto duration = parse_duration(*text);
    return duration ? std::optional<std::int64_t>(duration->count()) : std::nullopt;
  }
  return form == DurationForm::text_or_nanoseconds ? as_integer(value) : std::nullopt;
}

template <class T>
std::optional<ParamValue> in_range(std::optional<T> value, const ParamSpec& spec) {
  if (!value || (spec.min && static_cast<double>(*value) < *spec.min) ||
      (spec.max && static_cast<double>(*value) > *spec.max)) {
    return std::nullopt;
  }
  return ParamValue(*value);
}

template <class T>
std::optional<ParamValue> only(const ParamValue& value) {
  return std::holds_alternative<T>(value) ? std::optional(value) : std::nullopt;
}

std::string plain_number(double number) {
  const bool integral = std::abs(number) <= kExactIntegers && std::trunc(number) == number;
  return integral ? std::to_string(static_cast<std::int64_t>(number)) : dump_json(ParamValue(number), -1);
}

/// With the largest of `units` that divides it.
std::string with_unit(double number, const std::vector<std::pair<double, std::string>>& units) {
  for (const auto& [factor, name] : units) {
    if (number != 0 && std::fmod(number, factor) == 0) {
      return plain_number(number / factor) + name;
    }
  }
  return plain_number(number) + units.back().second;
}

std::string range_text(const ParamSpec& spec) {
  if (spec.min && spec.max) {
    return " from " + amount_text(*spec.min, spec.type) + " to " + amount_text(*spec.max, spec.type);
  }
  if (spec.min) {
    return " of at least " + amount_text(*spec.min, spec.type);
  }
  return spec.max ? " of at most " + amount_text(*spec.max, spec.type) : std::string();
}

std::string choices_text(const std::vector<std::string>& choices) {
  std::string text;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    text += i == 0 ? "" : i + 1 == choices.size() ? " or " : ", ";
    text += in_quotes(choices[i]);
  }
  return text;
}

std::optional<ParamValue> fit_text(const ParamValue& value, const ParamSpec& spec) {
  const auto* text = std::get_if<std::string>(&value);
  const bool fits = text != nullptr && (spec.choices.empty() || std::find(spec.choices.begin(), spec.choices.end(),
                                                                          *text) != spec.choices.end());
  return fits ? std::optional(value) : std::nullopt;
}

}  // namespace

std::string amount_text(double amount, ParamType type) {
  switch (type) {
    case ParamType::size:
      return with_unit(amount,
                       {{1099511627776., "TiB"}, {1073741824., "GiB"}, {1048576., "MiB"}, {1024., "KiB"}, {1, "B"}});
    case ParamType::duration:
      return with_unit(amount, {{3.6e12, "h"}, {6e10, "min"}, {1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}});
    default:
      return plain_number(amount);
  }
}

std::optional<ParamValue> fit_param(const ParamValue& value, const ParamSpec& spec, DurationForm form) {
  switch (spec.type) {
    case ParamType::boolean:
      return only<bool>(value);
    case ParamType::integer:
      return in_range(as_integer(value), spec);
    case ParamType::number:
      return in_range(as_number(value), spec);
    case ParamType::string:
      return fit_text(value, spec);
    case ParamType::size:
      return in_range(as_bytes(value), spec);
    case ParamType::duration:
      return in_range(as_nanoseconds(value, form), spec);
    case ParamType::list:
      return only<ParamList>(value);
    case ParamType::any:
      return value;
  }
  return std::nullopt;
}

std::string accepted_by(const ParamSpec& spec) {
  switch (spec.type) {
    case ParamType::boolean:
      return "true or false";
    case ParamType::integer:
      return "an integer" + range_text(spec);
    case ParamType::number:
      return "a number" + range_text(spec);
    case ParamType::string:
      return spec.choices.empty() ? "a string" : choices_text(spec.choices);
    case ParamType::size:
      return "a size" + range_text(spec) + ", in bytes or as text such as \"64MiB\"";
    case ParamType::duration:
      return "a duration" + range_text(spec) + ", as text with a unit such as \"5s\"";
    case ParamType::list:
      return "a list";
    case ParamType::any:
      return "any value";
  }
  return "any value";
}

PlanFault misfit_fault(std::string where, const ParamValue& value, const ParamSpec& spec) {
  PlanFault fault{.where = std::move(where), .found = describe(value), .expected = accepted_by(spec), .hint = {}};
  if (const auto* text = std::get_if<std::string>(&value); text != nullptr && spec.type == ParamType::string) {
    fault.hint = did_you_mean(*text, spec.choices);
  }
  return fault;
}

const ParamSpec* find_spec(const std::vector<ParamSpec>& specs, std::string_view name) {
  const auto found = std::find_if(specs.begin(), specs.end(), [&](const ParamSpec& s) { return s.name == name; });
  return found == specs.end() ? nullptr : &*found;
}

std::vector<std::string> names_of(const std::vector<ParamSpec>& specs) {
  std::vector<std::string> names;
  for (const ParamSpec& spec : specs) {
    names.push_back(spec.name);
  }
  return names;
}

}  // namespace pystream::plan
