#include "plan/stage_reader.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "plan/json.hpp"
#include "plan/suggest.hpp"

namespace pystream::plan {
namespace {

constexpr int kMaxCpu = 4095;

class StageReader {
 public:
  explicit StageReader(const StageContext& context) : context_(context) {}

  StageSpec read(const ObjectReader& reader, StageKind kind) {
    StageSpec spec;
    spec.faults = kind == StageKind::source ? usual_source_faults() : FaultPolicy{};
    reader.read("type", spec.type);
    reader.read("timeout", spec.faults.timeout);
    reader.read("start_timeout", spec.faults.start_timeout);
    reader.read("on_crash", spec.faults.on_crash);
    reader.read("on_error", spec.faults.on_error);
    reader.read("max_attempts", spec.faults.max_attempts);
    if (const ParamValue* value = reader.find("limits")) {
      spec.limits = limits(*value, reader.at("limits"));
    }
    if (const ParamValue* value = kind == StageKind::source ? nullptr : reader.find("link")) {
      spec.input_link = read_links(*value, reader.at("link"), context_.faults);
    }
    if (const StageType* type = checked_type(reader, spec.type, kind)) {
      spec.params = params(reader, *type);
    }
    return spec;
  }

 private:
  void add_fault(std::string where, std::string found, std::string expected, std::string hint = {}) {
    context_.faults.push_back({std::move(where), std::move(found), std::move(expected), std::move(hint)});
  }

  Limits limits(const ParamValue& value, std::string where) {
    const ObjectReader reader(value, std::move(where), limits_keys(), context_.faults);
    Limits limits;
    reader.read("memory", limits.memory);
    reader.read("cpu_time", limits.cpu_time);
    reader.read("nice", limits.nice);
    static const ParamSpec kCpu{.name = "affinity", .type = ParamType::integer, .min = 0, .max = kMaxCpu};
    const ParamList* cpus = reader.list("affinity");
    for (std::size_t i = 0; cpus != nullptr && i < cpus->size(); ++i) {
      if (const auto cpu = fit_param((*cpus)[i], kCpu)) {
        limits.affinity.push_back(static_cast<int>(*std::get_if<std::int64_t>(&*cpu)));
      } else {
        context_.faults.push_back(misfit_fault(pointer_to(reader.at("affinity"), i), (*cpus)[i], kCpu));
      }
    }
    return limits;
  }

  const StageType* checked_type(const ObjectReader& reader, const std::string& name, StageKind kind) {
    const ParamValue* value = reader.find("type");
    if (value == nullptr || !std::holds_alternative<std::string>(*value)) {
      return nullptr;
    }
    const StageType* type = find_type(context_.types, name);
    if (type != nullptr && type->kind == kind) {
      return type;
    }
    const std::string expected = "a registered " + std::string(to_string(kind)) + " type";
    if (type != nullptr) {
      add_fault(reader.at("type"), in_quotes(name) + ", which is a " + std::string(to_string(type->kind)) + " type",
                expected);
      return nullptr;
    }
    std::vector<std::string> known;
    for (const StageType& candidate : context_.types) {
      if (candidate.kind == kind) {
        known.push_back(candidate.name);
      }
    }
    add_fault(reader.at("type"), in_quotes(name), expected, did_you_mean(name, known));
    return nullptr;
  }

  /// In the order of the type's description, whatever the order in the document.
  Params params(const ObjectReader& reader, const StageType& type) {
    const ParamValue* given = reader.find("params");
    const std::string where = reader.at("params");
    if (given != nullptr && !std::holds_alternative<ParamMap>(*given)) {
      add_fault(where, describe(*given), "an object");
      return {};
    }
    if (given != nullptr) {
      check_param_names(*std::get_if<ParamMap>(given), type, where);
    }
    ParamMap values;
    for (const ParamSpec& spec : type.info.params) {
      const ParamValue* value = given == nullptr ? nullptr : find_key(*given, spec.name);
      if (auto fit = value != nullptr ? given_param(*value, spec, pointer_to(where, spec.name))
                                      : fallback_param(spec, type, reader)) {
        values.emplace_back(spec.name, std::move(*fit));
      }
    }
    return Params(std::move(values));
  }

  void check_param_names(const ParamMap& given, const StageType& type, const std::string& where) {
    for (const auto& [name, value] : given) {
      if (find_spec(type.info.params, name) == nullptr) {
        const auto known = names_of(type.info.params);
        add_fault(pointer_to(where, name), "the parameter " + in_quotes(name),
                  known.empty() ? in_quotes(type.name) + " takes no parameters" : one_of(known),
                  did_you_mean(name, known));
      }
    }
  }

  std::optional<ParamValue> given_param(const ParamValue& value, const ParamSpec& spec, std::string where) {
    const bool null = std::holds_alternative<std::monostate>(value);
    if (null && spec.fallback == ParamValue()) {
      return std::nullopt;
    }
    auto fit = fit_param(value, spec, context_.durations);
    if (!fit) {
      context_.faults.push_back(misfit_fault(std::move(where), value, spec));
    }
    return fit;
  }

  std::optional<ParamValue> fallback_param(const ParamSpec& spec, const StageType& type, const ObjectReader& reader) {
    if (!spec.fallback) {
      add_fault(reader.at("params"), "no parameter " + in_quotes(spec.name),
                in_quotes(spec.name) + ": " + accepted_by(spec) + (spec.text.empty() ? "" : " (" + spec.text + ")"));
      return std::nullopt;
    }
    if (std::holds_alternative<std::monostate>(*spec.fallback)) {
      return std::nullopt;
    }
    auto fit = fit_param(*spec.fallback, spec, DurationForm::text_or_nanoseconds);
    if (!fit) {
      add_fault(reader.at("type"),
                "the default " + describe(*spec.fallback) + " of parameter " + in_quotes(spec.name) + " of " +
                    in_quotes(type.name),
                accepted_by(spec) + "; this is a fault of the stage type");
    }
    return fit;
  }

  const StageContext& context_;
};

}  // namespace

StageSpec read_stage(const ObjectReader& reader, StageKind kind, const StageContext& context) {
  return StageReader(context).read(reader, kind);
}

LinkOptions read_links(const ParamValue& value, std::string where, std::vector<PlanFault>& faults) {
  const ObjectReader reader(value, std::move(where), links_keys(), faults);
  LinkOptions options;
  reader.read("overflow", options.overflow);
  if (const ParamValue* capacity = reader.find("capacity")) {
    const ObjectReader bounds(*capacity, reader.at("capacity"), capacity_keys(), faults);
    bounds.read("items", options.items);
    bounds.read("bytes", options.bytes);
    bounds.read("time", options.time);
  }
  return options;
}

const StageType* find_type(TypeCatalog types, std::string_view name) {
  const auto found = std::find_if(types.begin(), types.end(), [&](const StageType& type) { return type.name == name; });
  return found == types.end() ? nullptr : &*found;
}

}  // namespace pystream::plan
