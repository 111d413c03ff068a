#include "plan/plan_json.hpp"

#include <utility>

#include "plan/json.hpp"
#include "plan/plan_reader.hpp"

namespace pystream::plan {
namespace {

/// The value, if it is an object; else what is wrong is in the faults.
bool is_object(const ParsedJson& json, std::vector<PlanFault>& faults) {
  faults = json.faults;
  if (json.complete && !std::holds_alternative<ParamMap>(json.value)) {
    faults.push_back({.where = "", .found = describe(json.value), .expected = "an object", .hint = {}});
    return false;
  }
  return json.complete;
}

/// Names of files and programs end at a NUL character: another one than the plan says would be opened.
void refuse_nul(const ParamValue& value, const std::string& where, std::vector<PlanFault>& faults) {
  const auto refuse = [&](const std::string& text, const std::string& place) {
    if (text.find('\0') != std::string::npos) {
      faults.push_back({place, in_quotes(text), "text without the character NUL (\\u0000)", {}});
    }
  };
  if (const auto* text = std::get_if<std::string>(&value)) {
    refuse(*text, where);
  } else if (const auto* list = std::get_if<ParamList>(&value)) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      refuse_nul((*list)[i], pointer_to(where, i), faults);
    }
  } else if (const auto* map = std::get_if<ParamMap>(&value)) {
    for (const auto& [key, entry] : *map) {
      refuse(key, where);
      refuse_nul(entry, pointer_to(where, key), faults);
    }
  }
}

std::variant<Plan, std::vector<PlanFault>> read(std::string_view json, PlanForm form, TypeCatalog types,
                                                std::span<const ParamOverride> overrides) {
  ParsedJson document = parse_json(json);
  std::vector<PlanFault> faults;
  if (!is_object(document, faults)) {
    return faults;
  }
  apply_overrides(document.value, overrides, types, faults);
  refuse_nul(document.value, "", faults);
  Plan plan = plan_of(document.value, form, types, faults);
  check_flow(plan, types, faults);
  if (!faults.empty()) {
    return faults;
  }
  tell_sinks_their_items(plan, types);
  return plan;
}

/// A place that is nested very deep, with its beginning and its end.
std::string shown(const std::string& where) {
  constexpr std::size_t kLongest = 200;
  constexpr std::size_t kEnds = 80;
  return where.size() <= kLongest ? where : where.substr(0, kEnds) + "..." + where.substr(where.size() - kEnds);
}

}  // namespace

std::string to_string(const PlanFault& fault, std::string_view file) {
  std::string text;
  if (!file.empty() && !fault.where.starts_with("--")) {
    text.append(file).append(": ");
  }
  if (!fault.where.empty()) {
    text.append(shown(fault.where)).append(": ");
  }
  text.append("found ").append(fault.found).append(", expected ").append(fault.expected);
  return fault.hint.empty() ? text : text + " (" + fault.hint + ")";
}

std::variant<std::vector<std::string>, std::vector<PlanFault>> read_plugin_names(std::string_view json) {
  const ParsedJson document = parse_json(json);
  std::vector<PlanFault> faults;
  if (!is_object(document, faults)) {
    return faults;
  }
  faults.clear();  // read_plan() reports the other faults
  std::vector<std::string> plugins = plugins_of(document.value, faults);
  if (!faults.empty()) {
    return faults;
  }
  return plugins;
}

std::variant<Plan, std::vector<PlanFault>> read_plan(std::string_view json, TypeCatalog types,
                                                     std::span<const ParamOverride> overrides) {
  return read(json, PlanForm::file, types, overrides);
}

std::variant<Plan, std::vector<PlanFault>> read_written_plan(std::string_view json, TypeCatalog types) {
  return read(json, PlanForm::written, types, {});
}

}  // namespace pystream::plan
