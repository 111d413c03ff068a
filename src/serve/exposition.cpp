#include "serve/exposition.hpp"

#include <array>
#include <charconv>
#include <cmath>

#include "base/display_text.hpp"

namespace pystream::serve {

Labels Labels::with(std::string_view name, std::string_view value) const {
  Labels labels = *this;
  if (value.empty()) {
    return labels;
  }
  labels.inside_ += (inside_.empty() ? "" : ",") + std::string(name) + "=\"";
  for (const char letter : base::valid_utf8(value)) {
    if (letter == '\\' || letter == '"') {
      labels.inside_ += '\\';
    }
    labels.inside_ += letter == '\n' ? "\\n" : std::string(1, letter);
  }
  labels.inside_ += '"';
  return labels;
}

void Exposition::begin(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  text_ += "# HELP " + name_ + " " + std::string(help) + "\n# TYPE " + name_ + " " + std::string(type) + "\n";
}

void Exposition::add(const Labels& labels, double value) {
  add_line({}, labels, metric_number(value));
}
void Exposition::add(const Labels& labels, std::uint64_t value) {
  add_line({}, labels, std::to_string(value));
}
void Exposition::add_part(std::string_view suffix, const Labels& labels, double value) {
  add_line(suffix, labels, metric_number(value));
}
void Exposition::add_part(std::string_view suffix, const Labels& labels, std::uint64_t value) {
  add_line(suffix, labels, std::to_string(value));
}

void Exposition::add_line(std::string_view suffix, const Labels& labels, const std::string& value) {
  text_ += name_ + std::string(suffix) + labels.text() + " " + value + "\n";
}

std::string metric_number(double value) {
  if (std::isnan(value)) {
    return "NaN";
  }
  if (std::isinf(value)) {
    return value > 0 ? "+Inf" : "-Inf";
  }
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

}  // namespace pystream::serve
