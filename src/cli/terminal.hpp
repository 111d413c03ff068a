#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/text_table.hpp"

/// What the commands have to know about the terminal behind a descriptor.
namespace pystream::cli {

bool is_terminal(int fd);
/// Columns of the terminal; none if `fd` is none: in a pipe or a file lines are as long as they get.
std::optional<std::size_t> terminal_width(int fd);
/// Lines of the terminal; none if `fd` is none.
std::optional<std::size_t> terminal_height(int fd);

/// How tables are shown there.
base::TextTable::Look look_of(int fd);

/// A message that may hold what stages say: stages by their short names, and on a terminal nothing that it would obey.
std::string shown_on(int fd, std::string_view text);

}  // namespace pystream::cli
