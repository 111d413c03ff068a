#include "worker/past_death.hpp"

#include <algorithm>

namespace pystream::worker {

PastDeath read_past_death(const shm::ControlPage& control, std::uint32_t segment) {
  if (control.died_segment.load(std::memory_order_relaxed) != segment) {
    return {};
  }
  const std::string text(control.death_text.data(), std::min<std::size_t>(control.death_bytes, shm::kDeathText));
  const std::size_t line_end = std::min(text.find('\n'), text.size());
  return {.number = control.attempt_number.load(std::memory_order_relaxed),
          .deaths = control.attempts.load(std::memory_order_relaxed),
          .seen_until = control.seen_until.load(std::memory_order_relaxed),
          .give_up = control.give_up.load(std::memory_order_relaxed) != 0,
          .stage = control.died_stage.load(std::memory_order_relaxed),
          .signal = static_cast<int>(control.died_signal),
          .reason = text.substr(0, line_end),
          .stack = line_end < text.size() ? text.substr(line_end + 1) : ""};
}

}  // namespace pystream::worker
