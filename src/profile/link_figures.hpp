#pragma once

#include <cstdint>

#include "shm/segment.hpp"

namespace pystream::profile {

/// What a link says at a moment.
struct LinkFigures {
  std::uint64_t items = 0;  ///< that the consumer has taken
  std::uint64_t dropped = 0;
  std::uint64_t fill_items = 0;  ///< written and not done
  std::uint64_t fill_bytes = 0;
  /// Share of the limit (bytes, items, large items, or items by the time bound) that its producer would meet first, 0
  /// to 1; 1 while the producer waits for room.
  double fill = 0;
  std::int64_t oldest_ns = 0;  ///< since the oldest item in it entered the pipeline; 0: there is none
};

/// `segment`: the one of the view.
LinkFigures read_link(const shm::Segment& segment, const shm::SupervisorView& view, std::uint32_t link);

}  // namespace pystream::profile
