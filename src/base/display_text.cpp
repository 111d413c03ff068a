#include "base/display_text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace pystream::base {
namespace {

/// One character of UTF-8 text, or one byte that belongs to none.
struct Character {
  std::string_view bytes;
  char32_t code = 0;
  bool valid = false;
};

std::size_t length_after(unsigned char lead) {
  return lead < 0x80                   ? 1
         : lead >= 0xc2 && lead < 0xe0 ? 2
         : lead >= 0xe0 && lead < 0xf0 ? 3
         : lead >= 0xf0 && lead < 0xf5 ? 4
                                       : 0;
}

/// REQUIRES: `text` is not empty.
Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const Character broken{.bytes = text.substr(0, 1), .code = byte(0)};
  const std::size_t length = length_after(byte(0));
  if (length == 0 || length > text.size()) {
    return broken;
  }
  char32_t code = length == 1 ? byte(0) : byte(0) & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) {
      return broken;
    }
    code = (code << 6U) | (byte(i) & 0x3fU);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  if (overlong || surrogate || code > 0x10ffff) {
    return broken;
  }
  return {.bytes = text.substr(0, length), .code = code, .valid = true};
}

template <class Function>
void for_each_character(std::string_view text, Function function) {
  while (!text.empty()) {
    const Character character = first_character(text);
    function(character);
    text.remove_prefix(character.bytes.size());
  }
}

struct Range {
  char32_t first, last;
};

template <std::size_t N>
bool is_in(const std::array<Range, N>& ranges, char32_t code) {
  return std::ranges::any_of(ranges, [&](const Range& range) { return code >= range.first && code <= range.last; });
}

std::size_t width_of(char32_t code) {
  static constexpr std::array<Range, 8> kNone{{{0x300, 0x36f},
                                               {0x483, 0x489},
                                               {0x591, 0x5bd},
                                               {0x200b, 0x200f},
                                               {0x20d0, 0x20f0},
                                               {0xfe00, 0xfe0f},
                                               {0xfe20, 0xfe2f},
                                               {0xe0100, 0xe01ef}}};
  static constexpr std::array<Range, 11> kTwo{{{0x1100, 0x115f},
                                               {0x2e80, 0x303e},
                                               {0x3041, 0xa4cf},
                                               {0xa960, 0xa97c},
                                               {0xac00, 0xd7a3},
                                               {0xf900, 0xfaff},
                                               {0xfe30, 0xfe6f},
                                               {0xff00, 0xff60},
                                               {0xffe0, 0xffe6},
                                               {0x1f300, 0x1faff},
                                               {0x20000, 0x3fffd}}};
  return is_in(kNone, code) ? 0 : is_in(kTwo, code) ? 2 : 1;
}

/// A terminal obeys it, or it makes text look like another one.
bool is_dangerous(char32_t code) {
  static constexpr std::array<Range, 6> kRanges{
      {{0, 0x1f}, {0x7f, 0x9f}, {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069}, {0xfeff, 0xfeff}}};
  return is_in(kRanges, code);
}

std::string escape_of(const Character& character) {
  switch (character.code) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      std::array<char, 16> text{};
      const bool short_form = !character.valid || character.code < 0x80;
      std::snprintf(text.data(), text.size(), short_form ? "\\x%02x" : "\\u%04x",
                    static_cast<unsigned>(character.code));
      return text.data();
  }
}

std::string printable(std::string_view text, std::string_view kept) {
  std::string out;
  for_each_character(text, [&](const Character& character) {
    const bool stays = character.code < 0x80 && kept.find(static_cast<char>(character.code)) != std::string_view::npos;
    if (!character.valid || (is_dangerous(character.code) && !stays)) {
      out += escape_of(character);
    } else {
      out += character.bytes;
    }
  });
  return out;
}

/// Bytes of the longest beginning of `text` that takes at most `width` columns.
std::size_t bytes_within(std::string_view text, std::size_t width) {
  std::size_t bytes = 0;
  std::size_t columns = 0;
  bool fits = true;
  for_each_character(text, [&](const Character& character) {
    columns += width_of(character.code);
    fits = fits && columns <= width;
    bytes += fits ? character.bytes.size() : 0;
  });
  return bytes;
}

/// Where the shortest rest of `text` begins that leaves out the columns beyond the last `width`.
std::size_t begin_of_last(std::string_view text, std::size_t width) {
  std::size_t at = 0;
  std::size_t left = display_width(text);
  bool skipping = true;
  for_each_character(text, [&](const Character& character) {
    skipping = skipping && left > width;
    at += skipping ? character.bytes.size() : 0;
    left -= skipping ? width_of(character.code) : 0;
  });
  return at;
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for_each_character(text, [&](const Character& character) { width += width_of(character.code); });
  return width;
}

std::string printable_line(std::string_view text) {
  return printable(text, "");
}

std::string printable_text(std::string_view text) {
  return printable(text, "\n\t");
}

std::string valid_utf8(std::string_view text) {
  std::string out;
  for_each_character(text, [&](const Character& character) {
    out += character.valid ? character.bytes : std::string_view("\xef\xbf\xbd");
  });
  return out;
}

std::string shortened_middle(std::string_view text, std::size_t width) {
  static constexpr std::string_view kGap = "..";
  if (display_width(text) <= width) {
    return std::string(text);
  }
  if (width <= kGap.size() + 1) {
    return std::string(text.substr(0, bytes_within(text, width)));
  }
  const std::size_t room = width - kGap.size();
  const std::size_t behind = room / 2;
  return std::string(text.substr(0, bytes_within(text, room - behind)))
      .append(kGap)
      .append(text.substr(begin_of_last(text, behind)));
}

std::string shortened_end(std::string_view text, std::size_t width) {
  static constexpr std::string_view kGap = "...";
  if (display_width(text) <= width) {
    return std::string(text);
  }
  const bool gap = width > kGap.size();
  return std::string(text.substr(0, bytes_within(text, gap ? width - kGap.size() : width))).append(gap ? kGap : "");
}

std::string wrapped(std::string_view text, std::size_t width, std::size_t indent) {
  std::string out;
  std::size_t column = 0;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (column > 0 && column + 1 + display_width(word) > width) {
      out += "\n" + std::string(indent, ' ');
      column = 0;
    } else if (column > 0) {
      out += ' ';
      ++column;
    }
    out += word;
    column += display_width(word);
  }
  return out;
}

}  // namespace pystream::base
