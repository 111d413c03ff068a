#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "plan/topology.hpp"
#include "shm/segment.hpp"

namespace pystream::worker {

/// How a plan's topology lies in a segment. Pure: coordinator and workers compute the same.
struct Layout {
  shm::SegmentSpec spec;
  /// Link that each segment of each worker writes to: that of the topology, or a terminal one for a sink.
  std::vector<std::vector<std::uint32_t>> output_link;
};

/// Items that come out of this segment leave the main pipeline.
bool leaves_pipeline(const plan::Topology& topology, const plan::Segment& segment);

/// False for the user's process where it only feeds the pipeline or reads from it; true where it runs a serial row,
/// also one of nothing but parallel pipelines.
bool runs_row(const plan::WorkerSpec& worker);

/// `checkpoint_bytes`: upper limit of the state of each Topology::hosted; `plan_text` is kept in the segment.
///
/// Defaults of a link: 1 MiB of ring, which stays in the cache (less where there are so many links that their rings
/// together would take more than 64 MiB), items up to 64 MiB, at most 4 of them large at once. Of a worker: room for
/// the profile rows of half a second, 32768 at least (fewer where they would take more than 64 MiB together; none
/// without a profile).
Layout make_layout(const plan::Topology& topology, std::span<const std::uint64_t> checkpoint_bytes,
                   std::string plan_text, const plan::ProfilerOptions& profiler = {});

}  // namespace pystream::worker
