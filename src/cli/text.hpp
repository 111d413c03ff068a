#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/text_table.hpp"

namespace pystream::cli {

/// "1.23 ms", "45 ns"; three significant digits, but no parts of a nanosecond.
std::string pretty_time(double seconds);
/// "1.23 M", "45"; three significant digits.
std::string pretty_count(double count);

std::string joined(const std::vector<std::string>& words, std::string_view between);

/// Rows in aligned columns without a header, `indent` blanks before each. Cells are shortened if `look` has no room.
std::string table(const std::vector<std::vector<std::string>>& rows, std::size_t indent,
                  const base::TextTable::Look& look = {});

}  // namespace pystream::cli
