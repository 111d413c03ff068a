#pragma once

#include <cstddef>
#include <string>
#include <string_view>

/// Text for terminals: how much room it takes, and nothing in it that a terminal would obey.
namespace pystream::base {

/// Columns that UTF-8 text takes on a terminal: none for combining characters, two for wide ones.
std::size_t display_width(std::string_view text);

/// Untrusted text on one line. Control characters, characters that change the direction of writing, and bytes that are
/// no UTF-8 become escapes such as \n, \x1b and \u202e.
std::string printable_line(std::string_view text);
/// The same with its line ends and tabs.
std::string printable_text(std::string_view text);

/// The text with U+FFFD for each byte that is not UTF-8.
std::string valid_utf8(std::string_view text);

/// At most `width` columns of `text`; if it is longer, ".." replaces a part in the middle.
std::string shortened_middle(std::string_view text, std::size_t width);
/// At most `width` columns of `text`, with "..." at the end if it was cut.
std::string shortened_end(std::string_view text, std::size_t width);

/// `text` in lines of at most `width` columns, each after the first with `indent` blanks before it.
std::string wrapped(std::string_view text, std::size_t width, std::size_t indent);

}  // namespace pystream::base
