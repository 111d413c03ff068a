#pragma once

#include "profile/recorder.hpp"
#include "shm/segment.hpp"

namespace pystream::profile {

/// The shared memory of one worker with one segment, as the coordinator lays it out.
inline shm::Segment make_segment(std::uint32_t stages, std::uint64_t rows) {
  shm::SegmentSpec spec;
  spec.workers.push_back({.stages = stages, .segments = 1, .tracks_pipeline = true, .rows = rows});
  return shm::Segment::create(spec);
}

inline std::uint64_t sum_of(const shm::StageStats& stats) {
  std::uint64_t sum = 0;
  for (const auto& bucket : stats.histogram) {
    sum += bucket;
  }
  return sum;
}

}  // namespace pystream::profile
