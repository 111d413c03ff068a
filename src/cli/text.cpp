#include "cli/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace pystream::cli {
namespace {

/// Three significant digits at most, no trailing zeros.
std::string short_number(double value) {
  std::array<char, 32> text{};
  const int digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, digits).ptr;
  std::string out(text.data(), end);
  if (out.find('.') != std::string::npos) {
    out.erase(out.find_last_not_of('0') + 1);
    out.erase(out.find_last_not_of('.') + 1);
  }
  return out;
}

}  // namespace

std::string size_text(std::uint64_t bytes) {
  static constexpr std::array kUnits{std::pair{"GiB", 1ULL << 30}, std::pair{"MiB", 1ULL << 20},
                                     std::pair{"KiB", 1ULL << 10}};
  for (const auto& [unit, size] : kUnits) {
    if (bytes >= size) {
      return short_number(static_cast<double>(bytes) / static_cast<double>(size)) + " " + unit;
    }
  }
  return count_text(bytes, "byte");
}

std::string duration_text(std::int64_t nanoseconds) {
  static constexpr std::array kUnits{std::pair{"h", 3'600'000'000'000LL}, std::pair{"min", 60'000'000'000LL},
                                     std::pair{"s", 1'000'000'000LL}, std::pair{"ms", 1'000'000LL},
                                     std::pair{"us", 1'000LL}};
  for (const auto& [unit, size] : kUnits) {
    if (nanoseconds >= size) {
      return short_number(static_cast<double>(nanoseconds) / static_cast<double>(size)) + unit;
    }
  }
  return std::to_string(nanoseconds) + "ns";
}

std::string count_text(std::size_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : noun.ends_with("s") ? "es" : "s");
}

std::string joined(const std::vector<std::string>& words, std::string_view between) {
  std::string out;
  for (const std::string& word : words) {
    out.append(&word == &words.front() ? "" : between).append(word);
  }
  return out;
}

std::string table(const std::vector<std::vector<std::string>>& rows, std::size_t indent,
                  const base::TextTable::Look& look) {
  std::size_t columns = 0;
  for (const auto& row : rows) {
    columns = std::max(columns, row.size());
  }
  const base::TextTable::Column column{.cut = base::TextTable::Cut::middle};
  base::TextTable out(std::vector(columns, column), indent, false);
  for (const auto& row : rows) {
    out.add(row);
  }
  return out.text(look);
}

}  // namespace pystream::cli
