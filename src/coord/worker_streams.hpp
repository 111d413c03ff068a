#pragma once

#include <map>
#include <vector>

#include "plan/topology.hpp"

namespace pystream::coord {

/// Which of the coordinator's standard streams a worker program gets. Its standard error is always the worker's log.
struct WorkerStreams {
  enum class Output {
    log,     ///< standard output is the log, too
    kept,    ///< standard output is the coordinator's
    passed,  ///< standard output is the log; pystream::standard_output() is the coordinator's
  };
  bool input = false;  ///< standard input is the coordinator's; else /dev/null
  Output output = Output::log;
  std::vector<int> handed;  ///< other descriptors of the coordinator, which the worker gets under the same numbers
};

/// Of each worker: who has the source reads the input, who has the sink writes the output. A sink that shares its
/// worker with stages gets the output passed, so that nothing that they print comes among its items.
/// `handed`: see HandedDescriptors.
std::vector<WorkerStreams> streams_of(const plan::Topology& topology,
                                      const std::map<plan::WorkerId, std::vector<int>>& handed = {});

}  // namespace pystream::coord
