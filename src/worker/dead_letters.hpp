#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace pystream::worker {

/// Keeps what a stage could not process. store() returns only once the letter is safe.
class DeadLetters {
 public:
  virtual ~DeadLetters() = default;
  struct Letter {
    std::uint32_t stage = 0;   ///< index in the worker
    std::uint64_t number = 0;  ///< on the stage's input link
    std::uint64_t sequence = 0;
    std::uint32_t part = 0;
    std::uint32_t attempts = 0;
    std::string reason;
    std::span<const std::byte> bytes;
    int signal = 0;  ///< that killed the stage; 0: it threw
    std::string stack;
  };
  virtual void store(const Letter& letter) = 0;
};

}  // namespace pystream::worker
