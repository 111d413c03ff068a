#pragma once

#include <atomic>
#include <cstdint>

namespace pystream::base {

/// Makes pystream::draining() true for the rest of this process. Async-signal-safe.
void set_draining() noexcept;

/// While it lives, pystream::draining() is true also if `command` is not 0: a stage that waits needs no signal then.
/// And pystream::cut_short() is true if `cut_short` is not 0.
class DrainCommand {
 public:
  DrainCommand(const std::atomic<std::uint32_t>& command, const std::atomic<std::uint32_t>& cut_short) noexcept;
  ~DrainCommand();
  DrainCommand(const DrainCommand&) = delete;
  DrainCommand& operator=(const DrainCommand&) = delete;
};

}  // namespace pystream::base
