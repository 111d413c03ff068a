#pragma once

#include <cstdint>
#include <string>

#include "shm/segment_abi.hpp"

namespace pystream::worker {

/// What the coordinator knows of a worker's dead predecessors: the input they died on.
struct PastDeath {
  std::uint64_t number = shm::kInvalidPosition;  ///< of the input; none: they did not die on one of this segment
  std::uint32_t deaths = 0;
  std::uint64_t seen_until = 0;  ///< inputs before this may have been in a stage already
  bool give_up = false;          ///< it is not to be tried again
  std::uint32_t stage = 0;       ///< the stage they died in, of those in the worker
  int signal = 0;
  std::string reason;
  std::string stack;  ///< lines; empty if it is not known

  /// Item::attempt() of an input. What a predecessor had done and not committed is done again as well.
  std::uint32_t attempt_at(std::uint64_t input) const {
    return input == number ? deaths + 1 : input < seen_until ? 2 : 1;
  }
};

/// REQUIRES: called by the worker; the page does not change while it lives.
PastDeath read_past_death(const shm::ControlPage& control, std::uint32_t segment);

}  // namespace pystream::worker
