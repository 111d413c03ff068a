#include "cli/text.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

#include "base/number_text.hpp"

namespace pystream::cli {

std::string pretty_time(double seconds) {
  return seconds < 999.5e-9 ? fmt::format("{:.0f} ns", seconds * 1e9) : base::time_text(seconds);
}

std::string pretty_count(double count) {
  return count < 999.5 && count == std::floor(count) ? fmt::format("{:.0f}", count) : base::number_text(count);
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
