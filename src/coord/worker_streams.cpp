#include "coord/worker_streams.hpp"

namespace pystream::coord {

std::vector<WorkerStreams> streams_of(const plan::Topology& topology,
                                      const std::map<plan::WorkerId, std::vector<int>>& handed) {
  std::vector<WorkerStreams> all(topology.workers.size());
  std::vector<int> stage_counts(topology.workers.size());
  for (const plan::PlacedStage& placed : topology.stages) {
    ++stage_counts.at(placed.worker);
  }
  for (const plan::PlacedStage& placed : topology.stages) {
    WorkerStreams& streams = all[placed.worker];
    if (placed.role == plan::Role::source) {
      streams.input = true;
    } else if (placed.role == plan::Role::sink) {
      streams.output = stage_counts[placed.worker] == 1 ? WorkerStreams::Output::kept : WorkerStreams::Output::passed;
    }
  }
  for (const auto& [worker, fds] : handed) {
    all.at(worker).handed = fds;
  }
  return all;
}

}  // namespace pystream::coord
