#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/codec.hpp"
#include "base/unique_fd.hpp"

namespace pystream::profile {

enum class MessageType : std::uint8_t {
  begin = 1,     ///< to the profiler process: RunInfo
  ready = 2,     ///< from it: number of the run and how many events stand there, or 0, 0 and what went wrong
  event = 3,     ///< to it, once it is ready: Event
  written = 7,   ///< from it: so many more events stand in the database
  held = 12,     ///< from it: it has not begun, since the database cannot be written now; why
  go = 8,        ///< to it: the workers have started, and it may work now
  end = 4,       ///< to it: outcome, reason; every worker has ended
  done = 5,      ///< from it: all is written
  profiles = 6,  ///< to it: a question; from it: RunSummary
  // Between a worker and the process that keeps its dead letters (letter_desk.hpp):
  letter = 9,         ///< to it: where it goes, the letter, the item's bytes
  letter_kept = 10,   ///< from it: the letter is on the disk
  letter_waits = 11,  ///< from it: not yet, and why
};

struct Message {
  MessageType type = MessageType::begin;
  std::string body;
};

/// One end of a stream socket that carries messages.
class Channel {
 public:
  explicit Channel(base::UniqueFd fd) : fd_(std::move(fd)) {}
  int fd() const { return fd_.get(); }

  /// Waits until all is taken; false if the other side is gone or takes nothing for `timeout_ms`.
  bool send(MessageType type, std::string_view body, int timeout_ms = 5000);
  /// Reads what has come. nullopt: no whole message yet, or closed().
  std::optional<Message> receive();
  /// The same, waits for it.
  std::optional<Message> receive_within(int timeout_ms);
  bool closed() const { return closed_; }

 private:
  std::optional<Message> take();

  base::UniqueFd fd_;
  std::string buffer_;
  bool closed_ = false;
};

}  // namespace pystream::profile
