#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "plan/topology.hpp"
#include "shm/segment_spec.hpp"

namespace pystream::setup {

/// How a plan's topology lies in shared memory; worker and link ids are the topology's.
///
/// `checkpoint_bytes`: upper limit of the state of each Topology::stages; `plan_text` is kept in the segment.
///
/// Defaults of a link: 1 MiB of ring, which stays in the cache (less where there are so many links that their rings
/// together would take more than 512 MiB), items up to 64 MiB, at most 4 of them large at once. Of a worker: room for
/// the profile rows of half a second, 32768 at least (fewer where they would take more than 64 MiB together; none
/// without a profile).
shm::SegmentSpec segment_spec(const plan::Topology& topology, std::span<const std::uint64_t> checkpoint_bytes,
                              std::string plan_text, const plan::ProfilerOptions& profiler = {});

}  // namespace pystream::setup
