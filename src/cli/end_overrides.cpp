#include "cli/end_overrides.hpp"

#include <algorithm>
#include <filesystem>
#include <variant>

#include "plan/json.hpp"
#include "plan/param_check.hpp"

namespace pystream::cli {
namespace {

const StageType* sink_type(std::string_view plan_text, std::span<const StageType> types) {
  const plan::ParsedJson document = plan::parse_json(plan_text);
  const ParamValue* sink = plan::find_key(document.value, "sink");
  const ParamValue* type = sink == nullptr ? nullptr : plan::find_key(*sink, "type");
  const auto* name = type == nullptr ? nullptr : std::get_if<std::string>(type);
  if (name == nullptr) {
    return nullptr;
  }
  const auto found = std::ranges::find(types, *name, &StageType::name);
  return found == types.end() ? nullptr : &*found;
}

/// As JSON, so that a file called 7 or true stays a name. (What is not UTF-8 is refused later.)
plan::ParamOverride set(std::string stage, std::string param, const std::string& value) {
  return {.stage = std::move(stage),
          .param = std::move(param),
          .value = plan::is_utf8(value) ? plan::dump_json(ParamValue(value), -1) : value};
}

bool is_folder(const std::string& output) {
  std::error_code error;
  return output.ends_with('/') || std::filesystem::is_directory(output, error);
}

void set_output(const StageType* sink, const std::string& output, std::vector<plan::ParamOverride>& overrides) {
  const auto spec = [&](const char* name) {
    return sink == nullptr ? nullptr : plan::find_spec(sink->info.params, name);
  };
  const bool folder = spec("directory") != nullptr && (spec("path") == nullptr || is_folder(output));
  overrides.push_back(set("Sink", folder ? "directory" : "path", output));
  const ParamSpec* other = spec(folder ? "path" : "directory");
  if (other != nullptr && other->fallback && std::holds_alternative<std::string>(*other->fallback)) {
    overrides.push_back(set("Sink", other->name, std::get<std::string>(*other->fallback)));
  }
}

}  // namespace

std::vector<plan::ParamOverride> end_overrides(std::string_view plan_text, std::span<const StageType> types,
                                               const std::string& input, const std::string& output) {
  std::vector<plan::ParamOverride> overrides;
  if (!input.empty()) {
    overrides.push_back(set("Source", "path", input));
  }
  if (!output.empty()) {
    set_output(sink_type(plan_text, types), output, overrides);
  }
  return overrides;
}

}  // namespace pystream::cli
