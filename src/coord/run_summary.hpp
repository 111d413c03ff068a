#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "coord/live_status.hpp"
#include "plan/topology.hpp"
#include "shm/segment.hpp"

namespace pystream::coord {

/// Figures of one source, stage or sink, from the workers' counters in the segment.
struct StageSummary {
  std::string key;
  std::uint64_t items = 0;
  std::uint64_t errors = 0;
  double mean_s = 0;  ///< time inside its callable
  double p50_s = 0;
  double p99_s = 0;  ///< within 1/32, the histogram's bucket
  double max_s = 0;
  double items_per_s = 0;  ///< see profile::items_per_second()
  double working = 0;      ///< share of the worker's time, 0 to 1
  double waiting = 0;      ///< for input, since the first one
  double blocked = 0;      ///< on a full output link, since its consumer was done with a first item
  std::uint32_t restarts = 0;
  bool bottleneck = false;  ///< the stage that limits the others; see profile::find_bottleneck()
};

/// Reads the counters as they are now; may be called while the pipeline runs.
std::vector<StageSummary> summarize(const plan::Topology& topology, const shm::SupervisorView& view,
                                    const std::vector<std::uint32_t>& restarts);

/// Adds every stage, worker and link with its counters as they are now.
void add_live_stages(LiveStatus& status, const plan::Topology& topology, const shm::SupervisorView& view);

}  // namespace pystream::coord
