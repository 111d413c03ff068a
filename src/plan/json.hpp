#pragma once

#include <pystream/params.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "plan/plan_json.hpp"

/// JSON text to values and back. json.cpp is the only file that includes nlohmann/json.
namespace pystream::plan {

/// A JSON text as a value. Integers beyond int64 become doubles; the first of doubled keys counts.
struct ParsedJson {
  ParamValue value{};
  bool complete = false;            ///< false: this is no JSON (or nested too deep), `value` is not to be used
  std::vector<PlanFault> faults{};  ///< syntax, or doubled keys
};
[[nodiscard]] ParsedJson parse_json(std::string_view text);

/// `indent` < 0: on one line.
std::string dump_json(const ParamValue& value, int indent = 2);

/// Whether dump_json() writes the text unchanged.
bool is_utf8(std::string_view text);

/// `text` as a JSON string, shortened if it is long: for messages.
std::string in_quotes(std::string_view text);
/// A value for messages: scalars as they stand in JSON, "an object", "a list".
std::string describe(const ParamValue& value);

/// JSON pointers.
std::string pointer_to(std::string_view parent, std::string_view key);
std::string pointer_to(std::string_view parent, std::size_t index);

/// The value of `key`; nullptr if `value` is no object or has no such key.
const ParamValue* find_key(const ParamValue& value, std::string_view key);
ParamValue* find_key(ParamValue& value, std::string_view key);

}  // namespace pystream::plan
