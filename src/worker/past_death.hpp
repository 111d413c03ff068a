#pragma once

#include <cstdint>
#include <string>

#include "shm/segment_abi.hpp"

namespace pystream::worker {

/// What the coordinator says of a worker's dead predecessors: the input they died on.
struct PastDeath {
  std::uint64_t number = shm::kInvalidPosition;  ///< of the input; none: they did not die on one of this segment
  std::uint32_t deaths = 0;
  bool give_up = false;      ///< it is not to be tried again
  std::uint32_t hosted = 0;  ///< the stage they died in, of those in the worker
  int signal = 0;
  std::string reason;
  std::string stack;         ///< lines; empty if it is not known
};

/// REQUIRES: called by the worker; the page does not change while it lives.
PastDeath read_past_death(const shm::ControlPage& control, std::uint32_t segment);

}  // namespace pystream::worker
