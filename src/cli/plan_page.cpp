#include "cli/plan_page.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/man_page.hpp"
#include "cli/text.hpp"
#include "plan/json.hpp"
#include "plan/plan_json.hpp"

namespace pystream::cli {
namespace {

constexpr int kSection = 5;
constexpr const char* kExample = R"({
  "source": {"type": "lines", "params": {"path": "-"}},
  "stages": [
    {"name": "Greet", "type": "exec", "params": {"command": ["sed", "-u", "s/^/hello, /"]}, "replicas": 2}
  ],
  "sink": {"type": "stdout"}
})";

/// Definitions of the schema that are objects, and what the page calls them.
constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kObjects{{
    {"source", "A source"},
    {"stage", "A stage"},
    {"pipeline", "A pipeline among the stages"},
    {"sink", "A sink"},
    {"link", "Links"},
    {"capacity", "The capacity of links"},
    {"limits", "Limits"},
    {"profiler", "The profiler"},
    {"restarts", "Restarts"},
}};

std::string text_at(const ParamValue& object, std::string_view key) {
  const ParamValue* value = plan::find_key(object, key);
  const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(value);
  return text == nullptr ? "" : *text;
}

const ParamList& list_at(const ParamValue& object, std::string_view key) {
  static const ParamList kNone;
  const ParamValue* value = plan::find_key(object, key);
  const auto* list = value == nullptr ? nullptr : std::get_if<ParamList>(value);
  return list == nullptr ? kNone : *list;
}

bool is_required(const ParamValue& object, const std::string& key) {
  return std::ranges::any_of(list_at(object, "required"),
                             [&](const ParamValue& one) { return one == ParamValue(key); });
}

std::string range_of(const ParamValue& schema) {
  std::string text;
  for (const auto& [key, word] : {std::pair("minimum", " from "), std::pair("maximum", " to ")}) {
    if (const ParamValue* limit = plan::find_key(schema, key)) {
      text += word + plan::dump_json(*limit, -1);
    }
  }
  return text;
}

class PlanPage {
 public:
  explicit PlanPage(const ParamValue& schema)
      : schema_(schema), page_("pystream-plan", kSection, "plan files of pystream-coord") {}

  std::string text() {
    page_.section("Description");
    page_.paragraph(
        "A plan is a JSON file that describes a pipeline: where items come from, what is done to each of them, and "
        "where they go. pystream-coord run starts it, pystream-coord validate checks it. The stage types that a "
        "plan can use, and their parameters, are listed by pystream-coord stages; pystream-coord schema prints a "
        "JSON Schema with all of them. Keys that begin with $ are left to editors.");
    page_.section("Keys of the plan");
    add_keys(schema_);
    for (const auto& [name, title] : kObjects) {
      if (const ParamValue* object = definition(name)) {
        page_.section(title);
        add_keys(*object);
      }
    }
    page_.section("Examples");
    page_.literal(kExample);
    page_.see_also("pystream-coord(1), pystream-coord-validate(1), pystream-coord-stages(1), pystream-coord-schema(1)");
    return page_.text();
  }

 private:
  const ParamValue* definition(std::string_view name) const {
    const ParamValue* all = plan::find_key(schema_, "$defs");
    return all == nullptr ? nullptr : plan::find_key(*all, name);
  }

  void add_keys(const ParamValue& object) {
    const ParamValue* properties = plan::find_key(object, "properties");
    const auto* keys = properties == nullptr ? nullptr : std::get_if<ParamMap>(properties);
    if (keys == nullptr) {
      throw Error("the schema of plans has an object without properties");
    }
    for (const auto& [key, schema] : *keys) {
      std::string details = type_of(schema);
      if (const ParamValue* fallback = plan::find_key(schema, "default")) {
        details += ", default " + plan::dump_json(*fallback, -1);
      }
      if (is_required(object, key)) {
        details += details.empty() ? "required" : ", required";
      }
      page_.item(key, details.empty() ? "" : "(" + details + ")", sentence(text_at(schema, "description")));
    }
  }

  /// "integer from 1 to 4096 or "auto"", "one of block, drop_newest".
  std::string type_of(const ParamValue& schema) const {
    if (const std::string reference = text_at(schema, "$ref"); !reference.empty()) {
      return referred(reference.substr(reference.rfind('/') + 1));
    }
    if (const ParamList& words = list_at(schema, "enum"); !words.empty()) {
      return "one of " + joined(texts(words), ", ");
    }
    if (const ParamList& forms = list_at(schema, "anyOf"); !forms.empty()) {
      std::vector<std::string> types;
      for (const ParamValue& form : forms) {
        types.push_back(type_of(form));
      }
      return joined(types, " or ");
    }
    if (const ParamValue* word = plan::find_key(schema, "const")) {
      return plan::dump_json(*word, -1);
    }
    if (text_at(schema, "pattern").find("ns|us") != std::string::npos) {
      return "time such as \"20ms\"";
    }
    if (text_at(schema, "pattern").find("KiB") != std::string::npos) {
      return "size such as \"64MiB\"";
    }
    return text_at(schema, "type") + range_of(schema);
  }

  std::string referred(std::string_view name) const {
    const auto* section = std::ranges::find(kObjects, name, &std::pair<std::string_view, std::string_view>::first);
    if (section != kObjects.end()) {
      return "object, see " + std::string(section->second);
    }
    if (name == "members") {
      return "list of stages and pipelines";
    }
    const ParamValue* target = definition(name);
    return target == nullptr ? "" : type_of(*target);
  }

  static std::vector<std::string> texts(const ParamList& words) {
    std::vector<std::string> out;
    for (const ParamValue& word : words) {
      const auto* text = std::get_if<std::string>(&word);
      out.push_back(text == nullptr ? plan::dump_json(word, -1) : *text);
    }
    return out;
  }

  static std::string sentence(std::string text) {
    if (!text.empty() && !text.ends_with('.')) {
      text += '.';
    }
    return text;
  }

  const ParamValue& schema_;
  ManPage page_;
};

}  // namespace

std::string plan_page() {
  const plan::ParsedJson schema = plan::parse_json(plan::plan_schema({}));
  if (!schema.complete) {
    throw Error("the schema of plans cannot be read");
  }
  return PlanPage(schema.value).text();
}

}  // namespace pystream::cli
