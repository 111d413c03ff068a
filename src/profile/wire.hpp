#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <pystream/error.hpp>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/unique_fd.hpp"

/// Messages between processes of one pipeline and those that open its database for them: all are of one build, on one
/// machine.
namespace pystream::profile {

class Encoder {
 public:
  template <class T>
  requires std::is_arithmetic_v<T> Encoder& put(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    return *this;
  }
  Encoder& put(std::string_view text) {
    put(static_cast<std::uint64_t>(text.size()));
    bytes_.append(text);
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

/// Throws Error if there is less than asked for.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : bytes_(bytes) {}
  template <class T>
  T get() {
    if constexpr (std::is_same_v<T, std::string>) {
      const auto size = get<std::uint64_t>();
      return std::string(take(size));
    } else {
      static_assert(std::is_arithmetic_v<T>);
      T value{};
      std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
      return value;
    }
  }
  bool empty() const { return bytes_.empty(); }

 private:
  std::string_view take(std::uint64_t size) {
    if (size > bytes_.size()) {
      throw Error("a message to or from the bookkeeper is cut short");
    }
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  std::string_view bytes_;
};

enum class MessageType : std::uint8_t {
  begin = 1,     ///< to the bookkeeper: RunDescription
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
