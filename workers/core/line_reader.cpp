#include "core/line_reader.hpp"

#include <algorithm>
#include <cstring>
#include <pystream/stage.hpp>
#include <string>
#include <utility>

namespace pystream::core {
namespace {

constexpr std::size_t kReadAhead = 64 * 1024;

}  // namespace

LineReader::LineReader(InputStream& input, std::uint64_t max_line)
    : input_(input), max_line_(max_line), consumed_(input.offset()) {}

void LineReader::restart() {
  begin_ = scan_ = end_ = 0;
  consumed_ = input_.offset();
  at_end_ = false;
  skipped_ = 0;
}

InputStream::Status LineReader::next(std::string_view& line) {
  while (true) {
    const void* found = end_ > scan_ ? std::memchr(buffer_.data() + scan_, '\n', end_ - scan_) : nullptr;
    const bool complete = found != nullptr;
    const std::size_t stop =
        complete ? static_cast<std::size_t>(static_cast<const char*>(found) - buffer_.data()) : end_;
    scan_ = stop;
    if (skipped_ > 0 || stop - begin_ > max_line_) {
      skip_to(stop);
    }
    if (complete || (at_end_ && (begin_ < end_ || skipped_ > 0))) {
      line = std::string_view(buffer_.data() + begin_, stop - begin_);
      consumed_ += stop - begin_ + (complete ? 1 : 0);
      begin_ = scan_ = stop + (complete ? 1 : 0);
      if (skipped_ > 0) {
        refuse_line();
      }
      return InputStream::Status::data;
    }
    if (at_end_) {
      return InputStream::Status::end;
    }
    const bool last = draining() && buffered();
    const InputStream::Status status = last ? fill_to_line_end() : fill();
    if (status == InputStream::Status::interrupted) {
      if (last) {
        lose_rest();
      }
      return status;
    }
    at_end_ = status == InputStream::Status::end;
  }
}

/// The bytes before `stop` belong to a line that is too long.
void LineReader::skip_to(std::size_t stop) {
  if (skipped_ == 0) {
    long_line_ = consumed_;
  }
  skipped_ += stop - begin_;
  consumed_ += stop - begin_;
  begin_ = stop;
}

void LineReader::make_room() {
  if (begin_ > 0) {
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
              buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
    end_ -= begin_;
    scan_ -= begin_;
    begin_ = 0;
  }
  if (buffer_.size() < end_ + kReadAhead) {
    buffer_.resize(std::max(2 * buffer_.size(), end_ + kReadAhead));
  }
}

InputStream::Status LineReader::fill() {
  make_room();
  const auto room = std::as_writable_bytes(std::span(buffer_).subspan(end_, buffer_.size() - end_));
  const InputStream::Result result = input_.read(room);
  end_ += result.bytes;
  return result.status;
}

/// Byte by byte: what is behind the line stays where it is, for whoever reads on.
InputStream::Status LineReader::fill_to_line_end() {
  make_room();
  InputStream::Patience patience;
  for (std::size_t i = 0; i < kReadAhead; ++i) {
    const auto room = std::as_writable_bytes(std::span(buffer_).subspan(end_, 1));
    const InputStream::Result result = input_.read_rest(room, patience);
    end_ += result.bytes;
    if (result.status != InputStream::Status::data) {
      return result.status;
    }
    if (buffer_[end_ - 1] == '\n') {
      return InputStream::Status::data;
    }
  }
  return InputStream::Status::interrupted;
}

/// What is left at a drain is no whole line.
void LineReader::lose_rest() {
  const std::uint64_t bytes = end_ - begin_ + skipped_;
  consumed_ += end_ - begin_;
  begin_ = scan_ = end_;
  skipped_ = 0;
  report_loss(input_.who() + ": the run was ended within a line of " + input_.name() + ": its first " +
              std::to_string(bytes) + " bytes were read and are no item");
}

void LineReader::lose_ahead() const {
  if (buffered()) {
    input_.report_ahead(end_ - begin_ + skipped_);
  }
}

void LineReader::refuse_line() {
  const std::uint64_t bytes = std::exchange(skipped_, 0);
  throw Error(input_.who() + ": the line at byte " + std::to_string(long_line_) + " of " + input_.name() + " has " +
              std::to_string(bytes) + " bytes and is longer than " + std::to_string(max_line_) +
              " bytes: raise \"max_line\", or use \"frames\" for data that is not text");
}

}  // namespace pystream::core
