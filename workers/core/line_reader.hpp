#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/input_stream.hpp"

namespace pystream::core {

/// Cuts a stream into lines.
class LineReader {
 public:
  /// `input` must outlive this object. A line longer than `max_line` bytes is an error.
  LineReader(InputStream& input, std::uint64_t max_line);

  /// The next line without its '\n'; valid until the next call. A last line need not have a '\n'.
  /// After an exception the next call goes on behind the line that was too long.
  InputStream::Status next(std::string_view& line);
  /// Offset behind the line that next() gave last.
  std::uint64_t consumed() const { return consumed_; }
  /// Forgets what was read ahead: the stream stands elsewhere now.
  void restart();

 private:
  InputStream::Status fill();
  [[noreturn]] void refuse_line();

  InputStream& input_;
  std::uint64_t max_line_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  ///< first byte not given out
  std::size_t scan_ = 0;   ///< no '\n' in [begin_, scan_)
  std::size_t end_ = 0;
  std::uint64_t consumed_ = 0;
  bool at_end_ = false;
  bool skipping_ = false;  ///< inside a line that was too long
};

}  // namespace pystream::core
