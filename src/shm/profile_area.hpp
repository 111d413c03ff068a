#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "shm/segment_abi.hpp"

namespace pystream::shm {

/// What one worker's profile has in shared memory.
struct ProfileArea {
  struct Segment {
    Batch* batch = nullptr;
    std::span<StageAfter> after;  ///< of every StageStats of the worker
    std::span<Row> rows;
    std::span<BucketAfter> buckets;  ///< as many as rows
  };
  RowPage* page = nullptr;
  std::span<Row> rows;
  std::vector<Segment> segments;
};

/// Of one Batch with all that belongs to it, in whole pages.
std::uint64_t batch_bytes(const WorkerEntry& worker);
/// Of the whole area.
std::uint64_t profile_bytes(const WorkerEntry& worker);
/// `at`: where the area is mapped.
ProfileArea profile_area(const WorkerEntry& worker, std::byte* at);

}  // namespace pystream::shm
