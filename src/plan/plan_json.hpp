#pragma once

#include <cstddef>
#include <filesystem>
#include <pystream/registry.hpp>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "plan/plan.hpp"

/// Plan files: JSON in, a validated Plan or a list of faults out. The only place that knows nlohmann/json.
namespace pystream::plan {

/// One thing wrong with a plan.
struct PlanFault {
  std::string where;     ///< JSON pointer ("/stages/2/params/width"), or "line 4, column 7" for a syntax error
  std::string found;     ///< what the plan contains there
  std::string expected;  ///< what was expected, or what to do
  std::string hint;      ///< "did you mean ...?", may be empty
};

/// "plan.json: /stages/0/type: found "image.gary", expected a registered stage type (did you mean "image.gray"?)"
std::string to_string(const PlanFault& fault, std::string_view file);

/// The stage types a plan is checked against (StageType::make is not used here).
using TypeCatalog = std::span<const StageType>;

/// Just the plugin list of a plan text, so that the plugins can be inspected before the plan is validated.
[[nodiscard]] std::variant<std::vector<std::string>, std::vector<PlanFault>> read_plugin_names(std::string_view json);

/// `--set Stage.param=value`: `stage` is a name as plan/stage_names.hpp takes it, or "Source" / "Sink"; `value` is
/// JSON, or a plain string if it is not JSON.
struct ParamOverride {
  std::string stage;
  std::string param;
  std::string value;
};
/// Splits "Stage.param=value" at the last '.' before the first '='.
[[nodiscard]] std::variant<ParamOverride, PlanFault> parse_override(std::string_view text);

/// Everything is checked and every fault reported at once: keys, value types, names, nesting, stage types, their
/// parameters and ranges, links whose two ends differ in item type, policies.
[[nodiscard]] std::variant<Plan, std::vector<PlanFault>> read_plan(std::string_view json, TypeCatalog types,
                                                                   std::span<const ParamOverride> overrides = {});

/// A plan as JSON: how a coordinator hands it to its workers. It may hold what plan files must not: "external" as
/// source or sink, and durations of parameters as plain nanoseconds; its key "$normalized" marks it. REQUIRES: every
/// stage has a registered type (callables of the C++ API cannot be read back).
std::string write_plan(const Plan& plan);
/// Reads back what write_plan() wrote, as an equal Plan. For plans written by people see read_plan().
[[nodiscard]] std::variant<Plan, std::vector<PlanFault>> read_written_plan(std::string_view json, TypeCatalog types);

/// A JSON Schema (draft 2020-12) of plan files, with the parameters of every stage type.
std::string plan_schema(TypeCatalog types);

/// Descriptions of stage types as JSON and back: how plugins are inspected in a child process.
std::string write_catalog(TypeCatalog types);
[[nodiscard]] std::variant<std::vector<StageType>, std::vector<PlanFault>> read_catalog(std::string_view json);

}  // namespace pystream::plan
