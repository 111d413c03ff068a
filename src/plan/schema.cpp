#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

#include "plan/json.hpp"
#include "plan/param_check.hpp"
#include "plan/plan_keys.hpp"
#include "plan/stage_reader.hpp"

namespace pystream::plan {
namespace {

constexpr const char* kDraft = "https://json-schema.org/draft/2020-12/schema";
constexpr const char* kNamePattern = "^[A-Za-z0-9]+(_[A-Za-z0-9]+)*$";
constexpr const char* kShortNamePattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$";
constexpr const char* kSizePattern = "^[0-9.]+([eE][+-]?[0-9]+)? *(B|[kK]B?|KiB|[MGT](i?B)?)?$";
constexpr const char* kDurationPattern = "^[0-9.]+([eE][+-]?[0-9]+)? *(ns|us|\u00b5s|ms|s|min|h)$";

ParamValue text(std::string value) {
  return ParamValue(std::move(value));
}
ParamValue typed(const char* name) {
  return ParamMap{{"type", text(name)}};
}
ParamValue reference(const std::string& definition) {
  return ParamMap{{"$ref", text("#/$defs/" + definition)}};
}

ParamValue list_of(ParamValue items) {
  return ParamMap{{"type", text("array")}, {"items", std::move(items)}};
}

/// Whole numbers without a decimal point.
ParamValue number(double value) {
  const bool whole = std::abs(value) < 1e15 && std::trunc(value) == value;
  return whole ? ParamValue(static_cast<std::int64_t>(value)) : ParamValue(value);
}

void add_range(ParamMap& out, const ParamSpec& spec) {
  if (spec.min) {
    out.emplace_back("minimum", number(*spec.min));
  }
  if (spec.max) {
    out.emplace_back("maximum", number(*spec.max));
  }
}

ParamMap text_matching(const char* pattern) {
  return {{"type", text("string")}, {"pattern", text(pattern)}};
}

ParamMap size_schema(const ParamSpec& spec) {
  ParamMap bytes{{"type", text("integer")}};
  add_range(bytes, spec);
  if (!spec.min) {
    bytes.emplace_back("minimum", ParamValue(0));
  }
  return {{"anyOf", ParamList{ParamValue(std::move(bytes)), ParamValue(text_matching(kSizePattern))}}};
}

ParamMap number_schema(const char* type, const ParamSpec& spec) {
  ParamMap out{{"type", text(type)}};
  add_range(out, spec);
  return out;
}

ParamMap string_schema(const ParamSpec& spec) {
  ParamMap out{{"type", text("string")}};
  if (!spec.choices.empty()) {
    out.emplace_back("enum", ParamList(spec.choices.begin(), spec.choices.end()));
  }
  return out;
}

ParamMap value_schema(const ParamSpec& spec) {
  switch (spec.type) {
    case ParamType::boolean:
      return {{"type", text("boolean")}};
    case ParamType::integer:
      return number_schema("integer", spec);
    case ParamType::number:
      return number_schema("number", spec);
    case ParamType::string:
      return string_schema(spec);
    case ParamType::size:
      return size_schema(spec);
    case ParamType::duration:
      return text_matching(kDurationPattern);
    case ParamType::list:
      return {{"type", text("array")}};
    case ParamType::any:
      return {};
  }
  return {};
}

/// A default as people write it: "100ms" and "64MiB", not a number of nanoseconds or bytes.
ParamValue default_of(const ParamSpec& spec) {
  const auto* whole = std::get_if<std::int64_t>(&*spec.fallback);
  const bool has_unit = spec.type == ParamType::duration || spec.type == ParamType::size;
  return whole != nullptr && has_unit ? text(amount_text(static_cast<double>(*whole), spec.type)) : *spec.fallback;
}

/// A parameter that may be left out may also be null.
ParamMap param_schema(const ParamSpec& spec) {
  ParamMap out = value_schema(spec);
  const bool optional = spec.fallback == ParamValue();
  if (optional && spec.type != ParamType::any) {
    out = {{"anyOf", ParamList{ParamValue(std::move(out)), typed("null")}}};
  }
  if (!spec.text.empty()) {
    out.emplace_back("description", text(spec.text));
  }
  if (spec.fallback && !optional) {
    out.emplace_back("default", default_of(spec));
  }
  return out;
}

ParamMap described(ParamMap schema, const std::string& description) {
  if (!description.empty()) {
    schema.emplace_back("description", text(description));
  }
  return schema;
}

ParamList required_in(const std::vector<ParamSpec>& specs) {
  ParamList required;
  for (const ParamSpec& spec : specs) {
    if (!spec.fallback) {
      required.push_back(text(spec.name));
    }
  }
  return required;
}

/// Keys of plan files; `special` holds the schemas of those that a table cannot describe.
ParamMap object_schema(const KeyTable& keys, const ParamMap& special) {
  const ParamValue specials(special);
  ParamMap properties;
  for (const ParamSpec& spec : keys) {
    const ParamValue* own = find_key(specials, spec.name);
    const auto* own_map = own == nullptr ? nullptr : std::get_if<ParamMap>(own);
    ParamMap schema = described(own_map == nullptr ? value_schema(spec) : *own_map, spec.text);
    if (spec.fallback && *spec.fallback != ParamValue()) {
      schema.emplace_back("default", default_of(spec));
    }
    properties.emplace_back(spec.name, std::move(schema));
  }
  return {{"type", text("object")},
          {"properties", ParamValue(std::move(properties))},
          {"required", ParamValue(required_in(keys))},
          {"patternProperties", ParamMap{{"^\\$", ParamValue(true)}}},
          {"additionalProperties", ParamValue(false)}};
}

ParamMap params_schema(const StageType& type) {
  ParamMap properties;
  for (const ParamSpec& spec : type.info.params) {
    properties.emplace_back(spec.name, param_schema(spec));
  }
  return {{"type", text("object")},
          {"properties", ParamValue(std::move(properties))},
          {"required", ParamValue(required_in(type.info.params))},
          {"additionalProperties", ParamValue(false)}};
}

/// If the stage is of this type, then its parameters are these.
ParamValue params_rule(const StageType& type) {
  const ParamValue params(params_schema(type));
  const ParamValue is_type = ParamMap{{"type", ParamMap{{"const", text(type.name)}}}};
  ParamMap then{{"properties", ParamMap{{"params", params}}}};
  if (!required_in(type.info.params).empty()) {
    then.emplace_back("required", ParamList{text("params")});
  }
  return ParamMap{{"if", ParamMap{{"properties", is_type}, {"required", ParamList{text("type")}}}},
                  {"then", ParamValue(std::move(then))}};
}

ParamMap name_schema() {
  ParamMap schema = text_matching(kNamePattern);
  const ParamList reserved{text(std::string(kMainPipeline)), text(std::string(kFinalStage))};
  schema.emplace_back("not", ParamMap{{"enum", ParamValue(reserved)}});
  return schema;
}

ParamMap host_schema() {
  ParamMap schema = text_matching(kShortNamePattern);
  schema.emplace_back("maxLength", ParamValue(static_cast<std::int64_t>(kMaxShortName)));
  return schema;
}

ParamMap cluster_schema() {
  return object_schema(cluster_keys(), {{"capacity", object_schema(cluster_capacity_keys(), {})},
                                        {"tls", object_schema(tls_keys(), {})},
                                        {"moves", list_of(reference("host"))}});
}

ParamMap replicas_schema() {
  const auto spec = std::ranges::find(pipeline_keys(), "replicas", &ParamSpec::name);
  return {{"anyOf", ParamList{ParamValue(value_schema(*spec)), ParamValue(ParamMap{{"const", text(kAutoReplicas)}})}}};
}

ParamMap share_schema() {
  ParamList words;
  for (const ShareBy by : {ShareBy::turn, ShareBy::least_loaded}) {
    words.push_back(text(std::string(to_string(by))));
  }
  const ParamMap by_word{{"type", text("string")}, {"enum", ParamValue(std::move(words))}};
  ParamMap by_key = object_schema(share_keys(), {{"key", object_schema(share_key_keys(), {})}});
  return {{"anyOf", ParamList{ParamValue(by_word), ParamValue(std::move(by_key))}}};
}

ParamMap stage_schema(TypeCatalog types, StageKind kind) {
  ParamList names;
  ParamList rules;
  for (const StageType& type : types) {
    if (type.kind == kind) {
      names.emplace_back(described({{"const", text(type.name)}}, type.info.summary));
      rules.push_back(params_rule(type));
    }
  }
  ParamMap type{{"type", text("string")}};
  if (!names.empty()) {
    type = {{"anyOf", ParamValue(std::move(names))}};
  }
  const ParamMap special{{"name", name_schema()},       {"type", std::move(type)},
                         {"params", typed("object")},   {"limits", reference("limits")},
                         {"link", reference("link")},   {"replicas", reference("replicas")},
                         {"share", reference("share")}, {"host", reference("host")}};
  ParamMap schema = object_schema(keys_of(kind), special);
  if (!rules.empty()) {
    schema.emplace_back("allOf", ParamValue(std::move(rules)));
  }
  return schema;
}

/// A stage, or a pipeline if it has the keys of one: two branches that editors can tell apart.
ParamMap member_schema() {
  const auto has = [](const char* key) { return ParamMap{{"required", ParamList{text(key)}}}; };
  return {{"if", ParamMap{{"anyOf", ParamList{ParamValue(has("stages")), ParamValue(has("mode"))}}}},
          {"then", reference("pipeline")},
          {"else", reference("stage")}};
}

ParamMap members_schema() {
  return {{"type", text("array")}, {"minItems", ParamValue(1)}, {"items", reference("member")}};
}

ParamMap definitions(TypeCatalog types) {
  static const ParamSpec kCpu{.name = "cpu", .type = ParamType::integer, .min = 0};
  return {
      {"capacity", object_schema(capacity_keys(), {})},
      {"link", object_schema(links_keys(), {{"capacity", reference("capacity")}})},
      {"limits", object_schema(limits_keys(), {{"affinity", list_of(value_schema(kCpu))}})},
      {"replicas", replicas_schema()},
      {"share", share_schema()},
      {"profiler", object_schema(profiler_keys(), {})},
      {"restarts", object_schema(restarts_keys(), {})},
      {"host", host_schema()},
      {"cluster", cluster_schema()},
      {"source", stage_schema(types, StageKind::source)},
      {"stage", stage_schema(types, StageKind::stage)},
      {"sink", stage_schema(types, StageKind::sink)},
      {"member", member_schema()},
      {"members", members_schema()},
      {"pipeline", object_schema(pipeline_keys(), {{"name", name_schema()},
                                                   {"stages", reference("members")},
                                                   {"replicas", reference("replicas")},
                                                   {"share", reference("share")},
                                                   {"host", reference("host")}})},
  };
}

}  // namespace

std::string plan_schema(TypeCatalog types) {
  const ParamMap special{{"plugins", list_of(typed("string"))}, {"source", reference("source")},
                         {"stages", reference("members")},      {"sink", reference("sink")},
                         {"links", reference("link")},          {"profiler", reference("profiler")},
                         {"restarts", reference("restarts")},   {"cluster", reference("cluster")}};
  ParamMap schema{{"$schema", text(kDraft)}, {"title", text("pystream pipeline")}};
  for (auto& [key, value] : object_schema(root_keys(), special)) {
    schema.emplace_back(key, std::move(value));
  }
  schema.emplace_back("$defs", ParamValue(definitions(types)));
  return dump_json(ParamValue(std::move(schema)));
}

}  // namespace pystream::plan
