#include "serve/http.hpp"

#include <algorithm>
#include <charconv>

#include "base/escaped_text.hpp"

namespace pystream::serve {
namespace {

char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

}  // namespace

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::optional<std::string> Request::header(std::string_view name) const {
  const auto found = std::ranges::find_if(headers, [&](const auto& entry) { return same_name(entry.first, name); });
  return found != headers.end() && count(name) == 1 ? std::optional(found->second) : std::nullopt;
}

std::size_t Request::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(headers, [&](const auto& entry) { return same_name(entry.first, name); }));
}

std::optional<std::int64_t> Request::number(const std::string& name) const {
  const auto found = query.find(name);
  if (found == query.end()) {
    return std::nullopt;
  }
  const std::string& text = found->second;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

Answer failure(int status, std::string_view text) {
  return {.status = status, .body = "{\"error\": " + base::json_string(text) + "}\n"};
}

}  // namespace pystream::serve
