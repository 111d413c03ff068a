#include "base/text_table.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/display_text.hpp"

namespace pystream::base {
namespace {

constexpr std::size_t kGap = 2;             ///< blanks between two columns
constexpr std::size_t kEasilyRead = 24;     ///< names keep this many columns before other columns are dropped
constexpr std::size_t kStillReadable = 10;  ///< and this many once all of those are dropped

using Widths = std::vector<std::size_t>;

std::size_t total(const Widths& widths, std::size_t indent) {
  const auto shown =
      static_cast<std::size_t>(std::ranges::count_if(widths, [](std::size_t width) { return width > 0; }));
  return std::accumulate(widths.begin(), widths.end(), indent) + (shown > 0 ? (shown - 1) * kGap : 0);
}

/// Takes columns from the widest of the shrinking ones until all fit; none gets narrower than `least`.
void shrink(Widths& widths, const std::vector<TextTable::Column>& columns, std::size_t indent, std::size_t room,
            std::size_t least) {
  while (total(widths, indent) > room) {
    std::size_t* widest = nullptr;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].cut != TextTable::Cut::never && widths[i] > least && (widest == nullptr || widths[i] > *widest)) {
        widest = &widths[i];
      }
    }
    if (widest == nullptr) {
      return;
    }
    --*widest;
  }
}

/// Distributes the remaining width, as far as the cells need it.
void grow(Widths& widths, const Widths& natural, const std::vector<TextTable::Column>& columns, std::size_t indent,
          std::size_t room) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].cut != TextTable::Cut::never && widths[i] > 0) {
      const std::size_t used = total(widths, indent);
      widths[i] = std::min(natural[i], widths[i] + (used < room ? room - used : 0));
    }
  }
}

/// Long names are cut in the middle.
std::string with_short_words(std::string_view line, std::size_t width) {
  std::string out;
  while (!line.empty()) {
    const std::string_view word = line.substr(0, line.find(' '));
    out += shortened_middle(word, width) + (word.size() < line.size() ? " " : "");
    line.remove_prefix(std::min(line.size(), word.size() + 1));
  }
  return out;
}

}  // namespace

TextTable::TextTable(std::vector<Column> columns, std::size_t indent, bool header)
    : columns_(std::move(columns)), indent_(indent), header_(header) {}

void TextTable::add(std::vector<std::string> cells, std::string style) {
  cells.resize(columns_.size());
  for (std::string& cell : cells) {
    cell = printable_line(cell);
  }
  rows_.push_back({.cells = std::move(cells), .style = std::move(style)});
}

std::vector<std::size_t> TextTable::widths(const std::optional<std::size_t>& room) const {
  Widths natural;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    natural.push_back(std::max(header_ ? display_width(columns_[i].title) : 0, columns_[i].least));
    for (const Row& row : rows_) {
      natural[i] = std::max(natural[i], display_width(row.cells[i]));
    }
  }
  if (!room || total(natural, indent_) <= *room) {
    return natural;
  }
  Widths widths = natural;
  shrink(widths, columns_, indent_, *room, kEasilyRead);
  while (total(widths, indent_) > *room) {
    std::size_t last = columns_.size();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (widths[i] > 0 && columns_[i].drop > (last < columns_.size() ? columns_[last].drop : 0)) {
        last = i;
      }
    }
    if (last == columns_.size()) {
      break;
    }
    widths[last] = 0;
  }
  shrink(widths, columns_, indent_, *room, kStillReadable);
  grow(widths, natural, columns_, indent_, *room);
  return widths;
}

std::string TextTable::line(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) const {
  std::string text(indent_, ' ');
  bool first = true;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (widths[i] == 0) {
      continue;
    }
    const std::string cell =
        columns_[i].cut == Cut::end ? shortened_end(cells[i], widths[i]) : shortened_middle(cells[i], widths[i]);
    const std::string padding(widths[i] - display_width(cell), ' ');
    text += (first ? "" : std::string(kGap, ' ')) + (columns_[i].right ? padding + cell : cell + padding);
    first = false;
  }
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

std::string TextTable::text(const Look& look) const {
  const Widths shown = widths(look.width);
  std::string out;
  const auto add_line = [&](const std::vector<std::string>& cells, const std::string& style) {
    std::string text = line(cells, shown);
    if (look.width) {
      text =
          shortened_end(text, *look.width);  // the terminal is too narrow even for the columns that are never dropped
    }
    out += look.colour && !style.empty() ? style + text + "\x1b[0m\n" : text + "\n";
  };
  if (header_) {
    std::vector<std::string> titles;
    std::ranges::transform(columns_, std::back_inserter(titles), &Column::title);
    add_line(titles, "\x1b[1m");
  }
  for (const Row& row : rows_) {
    add_line(row.cells, row.style);
  }
  return out;
}

std::string lines_within(std::string_view text, const TextTable::Look& look) {
  std::string out;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::string shown = printable_line(line);
    out += (look.width ? wrapped(with_short_words(shown, *look.width), *look.width, 0) : shown) + "\n";
  }
  return out;
}

}  // namespace pystream::base
