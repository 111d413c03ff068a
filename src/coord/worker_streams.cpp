#include "coord/worker_streams.hpp"

namespace pystream::coord {

std::vector<WorkerStreams> streams_of(const plan::Topology& topology,
                                      const std::map<plan::WorkerId, std::vector<int>>& handed) {
  std::vector<WorkerStreams> all(topology.workers.size());
  std::vector<int> hosted_by(topology.workers.size());
  for (const plan::HostedSpec& hosted : topology.hosted) {
    ++hosted_by.at(hosted.worker);
  }
  for (const plan::HostedSpec& hosted : topology.hosted) {
    WorkerStreams& streams = all[hosted.worker];
    if (hosted.role == plan::Role::source) {
      streams.input = true;
    } else if (hosted.role == plan::Role::sink) {
      streams.output = hosted_by[hosted.worker] == 1 ? WorkerStreams::Output::kept : WorkerStreams::Output::passed;
    }
  }
  for (const auto& [worker, fds] : handed) {
    all.at(worker).handed = fds;
  }
  return all;
}

}  // namespace pystream::coord
