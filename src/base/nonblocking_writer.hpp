#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/event_loop.hpp"
#include "base/unique_fd.hpp"

namespace pystream::base {

/// Writes lines to a descriptor that other processes share, such as standard error, and never waits for its reader:
/// what the reader does not take at once is buffered here, what does not fit is dropped and counted. The flags of
/// the shared descriptor stay as they are.
class NonblockingWriter {
 public:
  /// The descriptor stays the caller's. A reader that is `most_waiting` bytes behind loses lines.
  explicit NonblockingWriter(int fd, std::size_t most_waiting = 1 << 20);
  ~NonblockingWriter() { detach(); }
  NonblockingWriter(const NonblockingWriter&) = delete;
  NonblockingWriter& operator=(const NonblockingWriter&) = delete;

  /// From now on buffered text is written as soon as the reader takes it. REQUIRES: detach() before the loop ends.
  void attach(EventLoop& loop);
  void detach();

  /// Takes all of `text`, or drops it.
  void write(std::string_view text);
  /// The same, but what cannot be written now is discarded and not counted: for text that is soon outdated.
  void write_if_read(std::string_view text);
  /// Waits until everything is written. False if the time is over, or it will never be read.
  bool flush_within(std::optional<std::chrono::milliseconds> patience);

  /// Lines that were dropped.
  std::uint64_t dropped() const { return dropped_; }

 private:
  enum class Way { plain, socket, nonblocking, polled };

  void open_anew(unsigned mode);
  void flush();
  void watch();
  void unwatch();
  void drop_waiting();
  ssize_t put(std::string_view text) const;
  std::size_t next_part() const;
  int fd() const { return own_ ? own_.get() : fd_; }

  int fd_;
  std::size_t most_waiting_;
  Way way_ = Way::plain;
  std::size_t part_bytes_ = 0;  ///< that one write() may have
  UniqueFd own_;                ///< the same pipe or terminal, opened anew with O_NONBLOCK
  EventLoop* loop_ = nullptr;
  bool watched_ = false;
  std::string waiting_;
  std::uint64_t dropped_ = 0;
};

}  // namespace pystream::base
