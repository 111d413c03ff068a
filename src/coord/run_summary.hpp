#pragma once

#include <cstdint>
#include <vector>

#include "coord/live_status.hpp"
#include "plan/topology.hpp"
#include "profile/summary.hpp"
#include "shm/segment.hpp"

namespace pystream::coord {

/// What each of Topology::stages has done, by the counters in the segment as they are now; may be called while the
/// pipeline runs. `restarts`: of each worker.
std::vector<profile::KeySummary> summarize(const plan::Topology& topology, const shm::SupervisorView& view,
                                           const std::vector<std::uint32_t>& restarts);

/// Adds every stage, worker and link with its counters as they are now.
void add_live_stages(LiveStatus& status, const plan::Topology& topology, const shm::Segment& segment,
                     const shm::SupervisorView& view);

}  // namespace pystream::coord
