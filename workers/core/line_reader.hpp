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
  /// While the pipeline drains: the lines that were read ahead from what cannot be read again, of the last one also the
  /// rest if it comes at once. If it does not, that is reported as a loss.
  InputStream::Status next(std::string_view& line);
  /// Bytes were taken from what cannot be read again, and next() has not given them yet.
  bool buffered() const { return !input_.seekable() && (begin_ < end_ || skipped_ > 0); }
  /// Offset behind the line that next() gave last.
  std::uint64_t consumed() const { return consumed_; }
  /// At the end of a run: reports as lost what is buffered().
  void lose_ahead() const;
  /// Forgets what was read ahead: the stream stands elsewhere now.
  void restart();

 private:
  void make_room();
  InputStream::Status fill();
  InputStream::Status fill_to_line_end();
  void skip_to(std::size_t stop);
  void lose_rest();
  [[noreturn]] void refuse_line();

  InputStream& input_;
  std::uint64_t max_line_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  ///< first byte not given out
  std::size_t scan_ = 0;   ///< no '\n' in [begin_, scan_)
  std::size_t end_ = 0;
  std::uint64_t consumed_ = 0;
  bool at_end_ = false;
  std::uint64_t long_line_ = 0;  ///< where the line that is too long begins
  std::uint64_t skipped_ = 0;    ///< bytes of a line that is too long; 0: in none
};

}  // namespace pystream::core
