#include "cli/text.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <utility>

#include "plan/plan.hpp"

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

/// Columns that UTF-8 text takes, with one for each character.
std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
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

std::string short_key(std::string_view key) {
  const std::string prefix = std::string(plan::kMainPipeline).append(plan::kSeparator);
  if (key.starts_with(prefix)) {
    key.remove_prefix(prefix.size());
  }
  std::string out(key);
  for (std::size_t at = 0; (at = out.find(plan::kSeparator, at)) != std::string::npos;) {
    out.replace(at, plan::kSeparator.size(), ".");
  }
  return out;
}

namespace {

/// Every cell below the header is a figure, or there is none.
bool is_of_figures(const std::vector<std::vector<std::string>>& rows, std::size_t column) {
  return std::all_of(rows.begin() + 1, rows.end(), [&](const auto& row) {
    return column >= row.size() || row[column].empty() || row[column] == "-" ||
           std::isdigit(static_cast<unsigned char>(row[column][0])) != 0;
  });
}

}  // namespace

std::string table(const std::vector<std::vector<std::string>>& rows, std::size_t indent, bool numbers_right) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], columns(row[i]));
    }
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line(indent, ' ');
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - columns(row[i]), ' ');
      line += (numbers_right && is_of_figures(rows, i) ? padding + row[i] : row[i] + padding) + "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string wrapped(std::string_view text, std::size_t width, std::size_t indent) {
  std::string out;
  std::size_t column = 0;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (column > 0 && column + 1 + columns(word) > width) {
      out += "\n" + std::string(indent, ' ');
      column = 0;
    } else if (column > 0) {
      out += ' ';
      ++column;
    }
    out += word;
    column += columns(word);
  }
  return out;
}

}  // namespace pystream::cli
