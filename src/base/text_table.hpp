#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pystream::base {

/// A table for people: rows in aligned columns that fit the width of a terminal.
class TextTable {
 public:
  /// What happens to cells if the table is too wide.
  enum class Cut { never, middle, end };
  struct Column {
    std::string title{};
    bool right = false;  ///< figures stand at the right edge
    Cut cut = Cut::never;
    std::size_t least = 0;  ///< never narrower
    int drop = 0;           ///< where room is short, columns of a higher number go first; 0: this one stays
  };
  /// How it is shown.
  struct Look {
    std::optional<std::size_t> width{};  ///< of the terminal; none: unlimited
    bool colour = false;
  };

  /// `header`: whether the titles are the first row.
  explicit TextTable(std::vector<Column> columns, std::size_t indent = 0, bool header = true);

  /// Cells are made printable. `style`: an escape sequence of a terminal, for the whole row.
  void add(std::vector<std::string> cells, std::string style = {});
  bool empty() const { return rows_.empty(); }
  std::string text(const Look& look) const;

 private:
  struct Row {
    std::vector<std::string> cells;
    std::string style;
  };
  /// Widths of the columns as they are shown; 0: left out.
  std::vector<std::size_t> widths(const std::optional<std::size_t>& room) const;
  std::string line(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) const;

  std::vector<Column> columns_;
  std::vector<Row> rows_;
  std::size_t indent_;
  bool header_;
};

/// Every line of `text` made printable, and wrapped where a terminal is narrower.
std::string lines_within(std::string_view text, const TextTable::Look& look);

}  // namespace pystream::base
