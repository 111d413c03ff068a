#include "cli/end_overrides.hpp"

#include <algorithm>
#include <filesystem>
#include <variant>

#include "cli/frame.hpp"
#include "plan/json.hpp"
#include "plan/param_check.hpp"

namespace pystream::cli {
namespace {

/// The sink as the plan's text has it.
struct PlannedSink {
  const StageType* type = nullptr;
  std::string directory;  ///< empty: none is given

  const ParamSpec* spec(std::string_view name) const {
    return type == nullptr ? nullptr : plan::find_spec(type->info.params, name);
  }
};

std::string text_at(const ParamValue* object, std::string_view key) {
  const ParamValue* value = object == nullptr ? nullptr : plan::find_key(*object, key);
  const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(value);
  return text == nullptr ? std::string() : *text;
}

PlannedSink planned_sink(std::string_view plan_text, std::span<const StageType> types) {
  const plan::ParsedJson document = plan::parse_json(plan_text);
  const ParamValue* sink = plan::find_key(document.value, "sink");
  const auto found = std::ranges::find(types, text_at(sink, "type"), &StageType::name);
  return {.type = found == types.end() ? nullptr : &*found,
          .directory = text_at(sink == nullptr ? nullptr : plan::find_key(*sink, "params"), "directory")};
}

/// As JSON, so that a file called 7 or true stays a name. (What is not UTF-8 is refused later.)
plan::ParamOverride set(std::string stage, std::string param, const std::string& value) {
  return {.stage = std::move(stage),
          .param = std::move(param),
          .value = plan::is_utf8(value) ? plan::dump_json(ParamValue(value), -1) : value};
}

/// Whether the output is a folder: as it stands on the disk, else as it is written or as the plan has it.
bool is_folder(const PlannedSink& sink, const std::string& output) {
  if (sink.spec("directory") == nullptr) {
    return false;
  }
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(output, error);
  const bool wanted = output.ends_with('/') || !sink.directory.empty() || sink.spec("path") == nullptr;
  if (wanted && std::filesystem::is_regular_file(status)) {
    throw BadUsage("--output: found the file " + plan::in_quotes(output) +
                   ", expected a directory: the sink of this plan writes a file for each item" +
                   (sink.spec("path") == nullptr
                        ? ""
                        : " (for one file with all items: --set Sink.directory= --set Sink.path=FILE)"));
  }
  if (std::filesystem::exists(status)) {
    return std::filesystem::is_directory(status);
  }
  return wanted && output != "-";
}

void set_output(const PlannedSink& sink, const std::string& output, std::vector<plan::ParamOverride>& overrides) {
  const bool folder = is_folder(sink, output);
  overrides.push_back(set("Sink", folder ? "directory" : "path", output));
  const ParamSpec* other = sink.spec(folder ? "path" : "directory");
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
    set_output(planned_sink(plan_text, types), output, overrides);
  }
  return overrides;
}

}  // namespace pystream::cli
