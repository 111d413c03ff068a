#pragma once

#include <algorithm>
#include <span>

#include "shm/ring_reader.hpp"

/// Of several links that one segment reads.
namespace pystream::worker {

inline bool any_unreleased(std::span<const shm::RingReader> links) {
  return std::ranges::any_of(links, &shm::RingReader::has_unreleased);
}

/// Releases all that was stepped over. REQUIRES: its commit.
inline void release_each(std::span<shm::RingReader> links) {
  for (shm::RingReader& link : links) {
    if (link.has_unreleased()) {
      link.release();
    }
  }
}

}  // namespace pystream::worker
