#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shm/segment_abi.hpp"

/// What a segment is to hold, before anything of it lies anywhere.
namespace pystream::shm {

/// How much one link should hold; see layout() in setup/layout.hpp for the defaults.
struct LinkSize {
  std::uint32_t producer = 0;
  std::vector<std::uint32_t> consumers;  ///< workers; one if it drops the oldest
  std::uint64_t ring_bytes = 0;          ///< a power of two of at least a page; 0: terminal
  std::uint64_t item_limit = 0;          ///< bytes of the largest item
  std::uint64_t items_limit = 0;         ///< 0: as many as fit
  std::uint64_t large_limit = 4;
  std::uint64_t time_limit_ns = 0;  ///< see TimeBound; 0: no bound
  Answers answers = Answers::as_it_likes;
  Overflow overflow = Overflow::block;
  Sharing sharing = Sharing::every;
};

struct WorkerSize {
  std::uint32_t stages = 0;
  std::uint32_t segments = 1;
  std::uint64_t checkpoint_bytes = 0;  ///< of one copy, without header
  bool tracks_pipeline = false;        ///< items leave the main pipeline here
  std::uint64_t rows = 0;              ///< a power of two; 0: no rows
};

struct SegmentSpec {
  std::vector<WorkerSize> workers;
  std::vector<LinkSize> links;
  std::string plan;
};

/// Bytes a segment takes at once, and at most when every link is full of large items.
struct Footprint {
  std::uint64_t reserved = 0;
  std::uint64_t limit = 0;
};
Footprint footprint(const SegmentSpec& spec);

}  // namespace pystream::shm
