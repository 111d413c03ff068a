#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/text_table.hpp"

namespace pystream::cli {

/// "64 MiB", "1.5 GiB", "17 bytes".
std::string size_text(std::uint64_t bytes);
/// "20ms", "1.5s": as plan files write it.
std::string duration_text(std::int64_t nanoseconds);

/// "1 link", "3 links".
std::string count_text(std::size_t count, const std::string& noun);

std::string joined(const std::vector<std::string>& words, std::string_view between);

/// Rows in aligned columns without a header, `indent` blanks before each. Cells are cut where `look` has no room.
std::string table(const std::vector<std::vector<std::string>>& rows, std::size_t indent,
                  const base::TextTable::Look& look = {});

}  // namespace pystream::cli
