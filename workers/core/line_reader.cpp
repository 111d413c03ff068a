#include "core/line_reader.hpp"

#include <algorithm>
#include <cstring>
#include <string>

namespace pystream::core {
namespace {

constexpr std::size_t kReadAhead = 64 * 1024;

}  // namespace

LineReader::LineReader(InputStream& input, std::uint64_t max_line)
    : input_(input), max_line_(max_line), consumed_(input.offset()) {}

void LineReader::restart() {
  begin_ = scan_ = end_ = 0;
  consumed_ = input_.offset();
  at_end_ = skipping_ = false;
}

InputStream::Status LineReader::next(std::string_view& line) {
  while (true) {
    const void* found = end_ > scan_ ? std::memchr(buffer_.data() + scan_, '\n', end_ - scan_) : nullptr;
    const bool complete = found != nullptr;
    const std::size_t stop =
        complete ? static_cast<std::size_t>(static_cast<const char*>(found) - buffer_.data()) : end_;
    scan_ = stop;
    if (stop - begin_ > max_line_ && !skipping_) {
      refuse_line();
    }
    if (skipping_) {
      consumed_ += stop - begin_;
      begin_ = stop;
    }
    if (complete || (at_end_ && begin_ < end_)) {
      line = std::string_view(buffer_.data() + begin_, stop - begin_);
      consumed_ += stop - begin_ + (complete ? 1 : 0);
      begin_ = scan_ = stop + (complete ? 1 : 0);
      if (skipping_) {
        skipping_ = false;
        continue;
      }
      return InputStream::Status::data;
    }
    if (at_end_) {
      return InputStream::Status::end;
    }
    const InputStream::Status status = fill();
    if (status == InputStream::Status::interrupted) {
      return status;
    }
    at_end_ = status == InputStream::Status::end;
  }
}

InputStream::Status LineReader::fill() {
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
  const auto room = std::as_writable_bytes(std::span(buffer_).subspan(end_, buffer_.size() - end_));
  try {
    const InputStream::Result result = input_.read(room);
    end_ += result.bytes;
    return result.status;
  } catch (...) {
    begin_ = scan_ = end_;
    at_end_ = true;
    throw;
  }
}

void LineReader::refuse_line() {
  skipping_ = true;
  throw Error(input_.who() + ": the line at byte " + std::to_string(consumed_) + " of " + input_.name() +
              " is longer than " + std::to_string(max_line_) +
              " bytes; it is skipped: raise \"max_line\", or use \"frames\" for data that is not text");
}

}  // namespace pystream::core
