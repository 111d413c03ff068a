#include <algorithm>
#include <optional>
#include <utility>

#include "plan/json.hpp"
#include "plan/param_check.hpp"
#include "plan/plan_reader.hpp"
#include "plan/stage_names.hpp"
#include "plan/stage_reader.hpp"
#include "plan/suggest.hpp"

namespace pystream::plan {
namespace {

constexpr const char* kReplicas = "replicas";

struct Target {
  std::string key;    ///< levels joined by "__"
  ParamValue* stage;  ///< or pipeline, which has replicas and no parameters
};

std::string name_in(const ParamValue& node, const std::string& fallback) {
  const ParamValue* name = find_key(node, "name");
  const auto* text = name == nullptr ? nullptr : std::get_if<std::string>(name);
  return text == nullptr ? fallback : *text;
}

void collect_targets(ParamValue& pipeline, const std::string& prefix, std::size_t level, std::vector<Target>& out) {
  ParamValue* stages = find_key(pipeline, "stages");
  auto* list = stages == nullptr ? nullptr : std::get_if<ParamList>(stages);
  std::size_t unnamed = 0;
  for (std::size_t i = 0; list != nullptr && i < list->size() && out.size() < kMaxStages; ++i) {
    ParamValue& child = (*list)[i];
    const bool named = find_key(child, "name") != nullptr;
    const std::string key = prefix + name_in(child, named ? "" : next_unnamed(unnamed));
    out.push_back({key, &child});
    if (find_key(child, "stages") != nullptr && level < kMaxNesting) {
      collect_targets(child, key + std::string(kSeparator), level + 1, out);
    }
  }
}

/// Every stage that an override can name, source and sink also by their role.
std::vector<Target> targets_in(ParamValue& document) {
  std::vector<Target> targets;
  collect_targets(document, "", 1, targets);
  for (const auto& [key, role] : {std::pair("source", kSource), std::pair("sink", kSink)}) {
    if (ParamValue* end = find_key(document, key)) {
      const std::string name = name_in(*end, std::string(role));
      targets.push_back({name, end});
      if (name != role) {
        targets.push_back({std::string(role), end});
      }
    }
  }
  return targets;
}

const StageType* type_of(const ParamValue& stage, TypeCatalog types) {
  const ParamValue* name = find_key(stage, "type");
  const auto* text = name == nullptr ? nullptr : std::get_if<std::string>(name);
  return text == nullptr ? nullptr : find_type(types, *text);
}

/// JSON where the parameter takes it, else the text itself.
ParamValue value_for(const std::string& text, const ParamSpec* spec) {
  ParsedJson json = parse_json(text);
  const bool taken =
      json.complete && json.faults.empty() && (spec == nullptr || fit_param(json.value, ParamSpec{.type = spec->type}));
  return taken ? std::move(json.value) : ParamValue(text);
}

/// What is no object is a fault of the document that validation tells.
void set_key(ParamValue& object, const std::string& name, ParamValue value) {
  if (ParamValue* old = find_key(object, name)) {
    *old = std::move(value);
  } else if (auto* keys = std::get_if<ParamMap>(&object)) {
    keys->emplace_back(name, std::move(value));
  }
}

void set_param(ParamValue& stage, const std::string& name, ParamValue value) {
  if (find_key(stage, "params") == nullptr) {
    set_key(stage, "params", ParamMap{});
  }
  if (ParamValue* params = find_key(stage, "params")) {
    set_key(*params, name, std::move(value));
  }
}

/// The one that `name` means, or why there is none.
std::variant<ParamValue*, PlanFault> find_target(std::vector<Target>& targets, const std::string& name,
                                                 const std::string& where) {
  std::vector<std::string> keys;
  std::ranges::transform(targets, std::back_inserter(keys), &Target::key);
  const std::vector<std::string> found = keys_named(name, keys);
  if (found.empty()) {
    return PlanFault{where, "the stage " + in_quotes(name), "a stage of this plan", name_hint(name, keys)};
  }
  if (found.size() > 1) {
    return PlanFault{
        where, "the stage " + in_quotes(name) + ", which may be " + listed(found), "one of these names", {}};
  }
  return std::ranges::find(targets, found.front(), &Target::key)->stage;
}

std::optional<PlanFault> apply(std::vector<Target>& targets, const ParamOverride& override, TypeCatalog types) {
  const std::string where = "--set " + override.stage + "." + override.param;
  auto found = find_target(targets, override.stage, where);
  if (auto* fault = std::get_if<PlanFault>(&found)) {
    return std::move(*fault);
  }
  ParamValue& stage = *std::get<ParamValue*>(found);
  const StageType* type = type_of(stage, types);
  const ParamSpec* spec = type == nullptr ? nullptr : find_spec(type->info.params, override.param);
  if (override.param == kReplicas && spec == nullptr) {
    set_key(stage, override.param, value_for(override.value, nullptr));
    return std::nullopt;
  }
  if (find_key(stage, "stages") != nullptr) {
    return PlanFault{where,
                     "the parameter " + in_quotes(override.param) + " of a pipeline",
                     in_quotes(kReplicas) + ", or a stage in the pipeline",
                     {}};
  }
  if (type != nullptr && spec == nullptr) {
    return PlanFault{where, "the parameter " + in_quotes(override.param), "a parameter of " + in_quotes(type->name),
                     did_you_mean(override.param, names_of(type->info.params))};
  }
  ParamValue value = value_for(override.value, spec);
  if (!is_utf8(override.value)) {
    return PlanFault{where, "a value that is not UTF-8", "UTF-8 text", {}};
  }
  if (spec != nullptr && !fit_param(value, *spec)) {
    return misfit_fault(where, value, *spec);
  }
  set_param(stage, override.param, std::move(value));
  return std::nullopt;
}

}  // namespace

std::variant<ParamOverride, PlanFault> parse_override(std::string_view text) {
  const auto equals = text.find('=');
  const std::string_view path = text.substr(0, equals);
  const auto dot = path.rfind('.');
  if (equals == std::string_view::npos || dot == std::string_view::npos || dot == 0 || dot + 1 == path.size()) {
    return PlanFault{"--set", in_quotes(text), "Stage.param=value, such as Resize.width=640", {}};
  }
  return ParamOverride{.stage = std::string(path.substr(0, dot)),
                       .param = std::string(path.substr(dot + 1)),
                       .value = std::string(text.substr(equals + 1))};
}

void apply_overrides(ParamValue& document, std::span<const ParamOverride> overrides, TypeCatalog types,
                     std::vector<PlanFault>& faults) {
  if (overrides.empty()) {
    return;
  }
  std::vector<Target> targets = targets_in(document);
  for (const ParamOverride& override : overrides) {
    if (auto fault = apply(targets, override, types)) {
      faults.push_back(std::move(*fault));
    }
  }
}

}  // namespace pystream::plan
