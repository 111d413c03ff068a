#include "cli/yaml.hpp"

#include <cctype>
#include <cstddef>
#include <string_view>
#include <utility>

#include "plan/json.hpp"

namespace pystream::cli {
namespace {

/// A JSON string is one of YAML too, but for characters that only YAML wants escaped.
std::string quoted(const std::string& text) {
  static constexpr std::pair<std::string_view, std::string_view> kEscaped[] = {
      {"\x7f", "\\x7f"}, {"\u2028", "\\u2028"}, {"\u2029", "\\u2029"}, {"\ufeff", "\\ufeff"}};
  const std::string json = plan::dump_json(ParamValue(text), -1);
  std::string out;
  for (std::size_t at = 0; at < json.size();) {
    const std::string_view rest = std::string_view(json).substr(at);
    std::size_t taken = 1;
    std::string shown(rest.substr(0, 1));
    for (const auto& [from, to] : kEscaped) {
      if (rest.starts_with(from)) {
        taken = from.size();
        shown = to;
      }
    }
    if (rest.size() > 1 && rest[0] == '\xc2' && static_cast<unsigned char>(rest[1]) < 0xa0) {  // U+0080 to U+009F
      static constexpr std::string_view kDigits = "0123456789abcdef";
      const auto byte = static_cast<unsigned char>(rest[1]);
      taken = 2;
      shown = {'\\', 'x', kDigits[byte >> 4U], kDigits[byte & 0xfU]};
    }
    out += shown;
    at += taken;
  }
  return out;
}

std::string key_text(const std::string& key) {
  const bool plain =
      !key.empty() && std::isalpha(static_cast<unsigned char>(key.front())) != 0 &&
      key.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-") == std::string::npos;
  return plain ? key : quoted(key);
}

void write(const ParamValue& value, const std::string& indent, std::string& out);

/// Behind "key:" or "-".
void write_entry(const ParamValue& value, const std::string& indent, bool in_list, std::string& out) {
  const auto* map = std::get_if<ParamMap>(&value);
  const auto* list = std::get_if<ParamList>(&value);
  if ((map != nullptr && !map->empty()) || (list != nullptr && !list->empty())) {
    if (in_list) {
      std::string inner;
      write(value, indent + "  ", inner);
      out += " " + inner.substr(indent.size() + 2);
    } else {
      out += "\n";
      write(value, indent + "  ", out);
    }
    return;
  }
  const auto* text = std::get_if<std::string>(&value);
  out += " " + (text != nullptr ? quoted(*text) : plan::dump_json(value, -1)) + "\n";
}

void write(const ParamValue& value, const std::string& indent, std::string& out) {
  if (const auto* map = std::get_if<ParamMap>(&value)) {
    for (const auto& [key, entry] : *map) {
      out += indent + key_text(key) + ":";
      write_entry(entry, indent, false, out);
    }
  } else if (const auto* list = std::get_if<ParamList>(&value)) {
    for (const ParamValue& entry : *list) {
      out += indent + "-";
      write_entry(entry, indent, true, out);
    }
  }
}

}  // namespace

std::string yaml_text(const ParamValue& value) {
  std::string out;
  write(value, "", out);
  return out;
}

}  // namespace pystream::cli
