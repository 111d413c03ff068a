#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <set>
#include <utility>

#include "plan/json.hpp"
#include "plan/object_reader.hpp"
#include "plan/stage_reader.hpp"

namespace pystream::plan {
namespace {

constexpr double kMaxStateBytes = 1073741824.;  // 1 GiB of cursor or checkpoint

ParamSpec key(std::string name, ParamType type, std::optional<ParamValue> fallback = ParamValue()) {
  return {.name = std::move(name), .type = type, .fallback = std::move(fallback)};
}

ParamSpec choice(std::string name, std::vector<std::string> choices) {
  return {.name = std::move(name), .choices = std::move(choices)};
}

ParamSpec choice_if_any(std::string name, std::vector<std::string> choices) {
  return {.name = std::move(name), .fallback = ParamValue(), .choices = std::move(choices)};
}

ParamSpec state_size(std::string name) {
  return {
      .name = std::move(name), .type = ParamType::integer, .fallback = ParamValue(), .min = 0, .max = kMaxStateBytes};
}

constexpr std::array kKinds{StageKind::source, StageKind::stage, StageKind::sink};
constexpr std::array kParamTypes{ParamType::boolean, ParamType::integer,  ParamType::number, ParamType::string,
                                 ParamType::size,    ParamType::duration, ParamType::list,   ParamType::any};

constexpr std::array kFileUses{FileUse::none, FileUse::reads, FileUse::writes, FileUse::names, FileUse::recursive};

template <class Values>
std::vector<std::string> words_in(const Values& values) {
  std::vector<std::string> words;
  for (const auto value : values) {
    words.emplace_back(to_string(value));
  }
  return words;
}

template <class Values>
auto value_of(const Values& values, std::string_view word) {
  const auto found = std::find_if(values.begin(), values.end(), [&](auto value) { return to_string(value) == word; });
  return found == values.end() ? values.front() : *found;
}

const KeyTable& catalog_keys() {
  static const KeyTable kKeys{key("types", ParamType::list, std::nullopt)};
  return kKeys;
}

const KeyTable& type_keys() {
  static const KeyTable kKeys{key("name", ParamType::string, std::nullopt),
                              choice("kind", words_in(kKinds)),
                              key("summary", ParamType::string),
                              key("input", ParamType::string),
                              key("output", ParamType::string),
                              key("framing", ParamType::string, ""),
                              key("writes_standard_output", ParamType::boolean),
                              state_size("cursor_bytes"),
                              state_size("checkpoint_bytes"),
                              key("params", ParamType::list)};
  return kKeys;
}

const KeyTable& param_keys() {
  static const KeyTable kKeys{key("name", ParamType::string, std::nullopt),
                              choice("type", words_in(kParamTypes)),
                              key("default", ParamType::any),
                              key("text", ParamType::string),
                              key("min", ParamType::number),
                              key("max", ParamType::number),
                              key("choices", ParamType::list),
                              choice_if_any("file", words_in(kFileUses))};
  return kKeys;
}

ParamValue param_object(const ParamSpec& spec) {
  ParamMap out{{"name", ParamValue(spec.name)}, {"type", ParamValue(std::string(to_string(spec.type)))}};
  if (spec.fallback) {
    out.emplace_back("default", *spec.fallback);
  }
  out.emplace_back("text", ParamValue(spec.text));
  if (spec.min && std::isfinite(*spec.min)) {
    out.emplace_back("min", ParamValue(*spec.min));
  }
  if (spec.max && std::isfinite(*spec.max)) {
    out.emplace_back("max", ParamValue(*spec.max));
  }
  if (!spec.choices.empty()) {
    out.emplace_back("choices", ParamList(spec.choices.begin(), spec.choices.end()));
  }
  if (spec.file != FileUse::none) {
    out.emplace_back("file", ParamValue(std::string(to_string(spec.file))));
  }
  return out;
}

ParamValue type_object(const StageType& type) {
  ParamList params;
  std::transform(type.info.params.begin(), type.info.params.end(), std::back_inserter(params), param_object);
  ParamMap out{{"name", ParamValue(type.name)},
               {"kind", ParamValue(std::string(to_string(type.kind)))},
               {"summary", ParamValue(type.info.summary)},
               {"input", ParamValue(type.info.input)},
               {"output", ParamValue(type.info.output)},
               {"framing", ParamValue(type.info.framing)},
               {"cursor_bytes", ParamValue(static_cast<std::int64_t>(type.cursor_bytes))},
               {"checkpoint_bytes", ParamValue(static_cast<std::int64_t>(type.checkpoint_bytes))},
               {"params", ParamValue(std::move(params))}};
  if (type.info.writes_standard_output) {
    out.emplace_back("writes_standard_output", ParamValue(true));
  }
  return out;
}

class CatalogReader {
 public:
  explicit CatalogReader(std::vector<PlanFault>& faults) : faults_(faults) {}

  std::vector<StageType> read(const ParamValue& document) {
    std::vector<StageType> types;
    const ObjectReader root(document, "", catalog_keys(), faults_);
    each(root, "types",
         [&](const ParamValue& value, const std::string& where) { types.push_back(type(value, where)); });
    return types;
  }

 private:
  template <class Visit>
  void each(const ObjectReader& reader, std::string_view key, Visit visit) {
    const ParamList* list = reader.list(key);
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
      visit((*list)[i], pointer_to(reader.at(key), i));
    }
  }

  StageType type(const ParamValue& value, const std::string& where) {
    const ObjectReader reader(value, where, type_keys(), faults_);
    StageType out;
    reader.read("name", out.name);
    check_unique(reader, out.name, type_names_);
    std::string kind;
    reader.read("kind", kind);
    out.kind = value_of(kKinds, kind);
    reader.read("summary", out.info.summary);
    reader.read("input", out.info.input);
    reader.read("output", out.info.output);
    reader.read("framing", out.info.framing);
    reader.read("writes_standard_output", out.info.writes_standard_output);
    reader.read("cursor_bytes", out.cursor_bytes);
    reader.read("checkpoint_bytes", out.checkpoint_bytes);
    std::set<std::string> names;
    each(reader, "params", [&](const ParamValue& param_value, const std::string& param_where) {
      out.info.params.push_back(param(param_value, param_where, names));
    });
    return out;
  }

  ParamSpec param(const ParamValue& value, const std::string& where, std::set<std::string>& names) {
    const ObjectReader reader(value, where, param_keys(), faults_);
    ParamSpec out;
    reader.read("name", out.name);
    check_unique(reader, out.name, names);
    std::string type;
    reader.read("type", type);
    out.type = value_of(kParamTypes, type);
    reader.read("text", out.text);
    reader.read("min", out.min);
    reader.read("max", out.max);
    std::string use;
    reader.read("file", use);
    out.file = value_of(kFileUses, use);
    each(reader, "choices", [&](const ParamValue& word, const std::string& word_where) {
      if (const auto* text = std::get_if<std::string>(&word)) {
        out.choices.push_back(*text);
      } else {
        faults_.push_back({word_where, describe(word), "a string", {}});
      }
    });
    if (const ParamValue* fallback = reader.find("default")) {
      read_fallback(*fallback, reader.at("default"), out);
    }
    return out;
  }

  void read_fallback(const ParamValue& value, std::string where, ParamSpec& spec) {
    const bool none = std::holds_alternative<std::monostate>(value);
    if (!none && !fit_param(value, spec, DurationForm::text_or_nanoseconds)) {
      faults_.push_back(misfit_fault(std::move(where), value, spec));
    }
    spec.fallback = value;
  }

  void check_unique(const ObjectReader& reader, const std::string& name, std::set<std::string>& names) {
    if (reader.find("name") != nullptr && (name.empty() || !names.insert(name).second)) {
      faults_.push_back(
          {reader.at("name"), (name.empty() ? "" : "a second ") + in_quotes(name), "a name of its own", {}});
    }
  }

  std::vector<PlanFault>& faults_;
  std::set<std::string> type_names_;
};

}  // namespace

std::string write_catalog(TypeCatalog types) {
  ParamList list;
  std::transform(types.begin(), types.end(), std::back_inserter(list), type_object);
  return dump_json(ParamMap{{"types", ParamValue(std::move(list))}});
}

std::variant<std::vector<StageType>, std::vector<PlanFault>> read_catalog(std::string_view json) {
  ParsedJson document = parse_json(json);
  std::vector<PlanFault> faults = std::move(document.faults);
  if (!document.complete) {
    return faults;
  }
  std::vector<StageType> types = CatalogReader(faults).read(document.value);
  if (!faults.empty()) {
    return faults;
  }
  return types;
}

}  // namespace pystream::plan
