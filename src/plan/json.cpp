#include "plan/json.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

namespace pystream::plan {
namespace {

using Json = nlohmann::ordered_json;

/// Levels of objects and lists. Everything after parsing may recurse.
constexpr std::size_t kMaxDepth = 256;
constexpr std::size_t kMaxQuoted = 80;

std::string line_and_column(std::string_view text, std::size_t position) {
  const std::string_view before = text.substr(0, position == 0 ? 0 : std::min(position - 1, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0: the first line
  return "line " + std::to_string(line) + ", column " + std::to_string(before.size() - line_start + 1);
}

/// "[json.exception...] parse error at line 1, column 2: syntax error while ... - FOUND; expected EXPECTED"
PlanFault syntax_fault(std::string_view message, std::string where) {
  static constexpr std::string_view kExpected = "; expected ";
  PlanFault fault{.where = std::move(where), .found = {}, .expected = "valid JSON", .hint = {}};
  if (const auto at = message.rfind(kExpected); at != std::string_view::npos) {
    fault.expected = message.substr(at + kExpected.size());
    message = message.substr(0, at);
  }
  if (const auto at = message.find(" - "); at != std::string_view::npos) {
    message.remove_prefix(at + 3);
  } else if (const auto bracket = message.find("] "); bracket != std::string_view::npos) {
    message.remove_prefix(bracket + 2);
  }
  fault.found = message;
  return fault;
}

/// Builds values from the parser's events; nothing here recurses, whatever the text.
class ValueBuilder final : public nlohmann::json_sax<Json> {
 public:
  explicit ValueBuilder(std::string_view text) : text_(text) {}
  ParsedJson take() && { return std::move(result_); }

  bool null() override { return add({}); }
  bool boolean(bool value) override { return add(ParamValue(value)); }
  bool number_integer(number_integer_t value) override { return add(ParamValue(std::int64_t{value})); }
  bool number_unsigned(number_unsigned_t value) override {
    const bool fits = value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    return add(fits ? ParamValue(static_cast<std::int64_t>(value)) : ParamValue(static_cast<double>(value)));
  }
  bool number_float(number_float_t value, const string_t&) override { return add(ParamValue(value)); }
  bool string(string_t& value) override { return add(ParamValue(std::move(value))); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(ParamValue(ParamMap{})); }
  bool start_array(std::size_t) override { return open(ParamValue(ParamList{})); }
  bool key(string_t& name) override {
    key_ = std::move(name);
    return true;
  }
  bool end_object() override {
    report_doubled_keys(*std::get_if<ParamMap>(open_.back()));
    return close();
  }
  bool end_array() override { return close(); }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    result_.faults.push_back(syntax_fault(error.what(), line_and_column(text_, position)));
    return false;
  }

 private:
  ParamValue* insert(ParamValue value) {
    if (open_.empty()) {
      result_.value = std::move(value);
      return &result_.value;
    }
    if (auto* list = std::get_if<ParamList>(open_.back())) {
      return &list->emplace_back(std::move(value));
    }
    return &std::get_if<ParamMap>(open_.back())->emplace_back(std::move(key_), std::move(value)).second;
  }

  bool add(ParamValue value) {
    insert(std::move(value));
    result_.complete = open_.empty();
    return true;
  }

  bool open(ParamValue container) {
    if (open_.size() == kMaxDepth) {
      result_.faults.push_back(
          {.where = here(),
           .found = "objects and lists nested deeper than " + std::to_string(kMaxDepth) + " levels",
           .expected = "less nesting",
           .hint = {}});
      return false;
    }
    open_.push_back(insert(std::move(container)));
    return true;
  }

  bool close() {
    open_.pop_back();
    result_.complete = open_.empty();
    return true;
  }

  /// Pointer to the innermost open container.
  std::string here() const {
    std::string where;
    for (std::size_t i = 0; i + 1 < open_.size(); ++i) {
      if (const auto* list = std::get_if<ParamList>(open_[i])) {
        where = pointer_to(where, list->size() - 1);
      } else {
        where = pointer_to(where, std::get_if<ParamMap>(open_[i])->back().first);
      }
    }
    return where;
  }

  void report_doubled_keys(const ParamMap& object) {
    std::vector<std::string_view> keys;
    for (const auto& [name, value] : object) {
      keys.push_back(name);
    }
    std::sort(keys.begin(), keys.end());
    for (auto it = keys.begin(); (it = std::adjacent_find(it, keys.end())) != keys.end();) {
      result_.faults.push_back({.where = pointer_to(here(), *it),
                                .found = "the key " + in_quotes(*it) + " more than once",
                                .expected = "each key once",
                                .hint = {}});
      it = std::upper_bound(it, keys.end(), *it);
    }
  }

  std::string_view text_;
  ParsedJson result_;
  std::vector<ParamValue*> open_;  ///< stays valid: a container grows only while it is the innermost one
  std::string key_;
};

Json to_json(const ParamValue& value);

struct JsonMaker {
  Json operator()(std::monostate) const { return nullptr; }
  Json operator()(bool value) const { return value; }
  Json operator()(std::int64_t value) const { return value; }
  Json operator()(double value) const { return value; }
  Json operator()(const std::string& value) const { return value; }
  Json operator()(const ParamList& list) const {
    Json json = Json::array();
    for (const ParamValue& entry : list) {
      json.push_back(to_json(entry));
    }
    return json;
  }
  Json operator()(const ParamMap& map) const {
    Json json = Json::object();
    for (const auto& [key, entry] : map) {
      json[key] = to_json(entry);
    }
    return json;
  }
};

Json to_json(const ParamValue& value) {
  return std::visit(JsonMaker(), value);
}

}  // namespace

ParsedJson parse_json(std::string_view text) {
  ValueBuilder builder(text);
  const bool whole = Json::sax_parse(text.begin(), text.end(), &builder);
  ParsedJson result = std::move(builder).take();
  result.complete = result.complete && whole;
  return result;
}

std::string dump_json(const ParamValue& value, int indent) {
  return to_json(value).dump(indent, ' ', false, Json::error_handler_t::replace);
}

bool is_utf8(std::string_view text) {
  try {
    return !Json(text).dump().empty();
  } catch (const Json::type_error&) {
    return false;
  }
}

std::string in_quotes(std::string_view text) {
  if (text.size() <= kMaxQuoted) {
    return dump_json(ParamValue(std::string(text)), -1);
  }
  std::size_t end = kMaxQuoted;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
    --end;  // not inside a UTF-8 sequence
  }
  return dump_json(ParamValue(std::string(text.substr(0, end)) + "..."), -1);
}

std::string describe(const ParamValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    return in_quotes(*text);
  }
  if (std::holds_alternative<ParamList>(value)) {
    return std::get_if<ParamList>(&value)->empty() ? "an empty list" : "a list";
  }
  if (std::holds_alternative<ParamMap>(value)) {
    return "an object";
  }
  return dump_json(value, -1);
}

std::string pointer_to(std::string_view parent, std::string_view key) {
  std::string pointer(parent);
  pointer += '/';
  for (const char c : key) {
    if (c == '~') {
      pointer += "~0";
    } else if (c == '/') {
      pointer += "~1";
    } else {
      pointer += c;
    }
  }
  return pointer;
}

std::string pointer_to(std::string_view parent, std::size_t index) {
  return pointer_to(parent, std::string_view(std::to_string(index)));
}

const ParamValue* find_key(const ParamValue& value, std::string_view key) {
  const auto* map = std::get_if<ParamMap>(&value);
  if (map == nullptr) {
    return nullptr;
  }
  const auto found = std::find_if(map->begin(), map->end(), [&](const auto& entry) { return entry.first == key; });
  return found == map->end() ? nullptr : &found->second;
}

ParamValue* find_key(ParamValue& value, std::string_view key) {
  return const_cast<ParamValue*>(find_key(std::as_const(value), key));
}

}  // namespace pystream::plan
