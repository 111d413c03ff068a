#pragma once

#include <string>
#include <vector>

#include "coord/crash_report.hpp"
#include "coord/oom_watch.hpp"
#include "coord/supervisor.hpp"
#include "shm/segment.hpp"

namespace pystream::coord {

/// Finds out what a worker died of: from its pages, its exit status, and the kernel's counts of out-of-memory kills.
class CrashReporter {
 public:
  CrashReporter(const plan::Topology& topology, const shm::SupervisorView& view) : topology_(topology), view_(view) {}

  /// What the coordinator knows of a death beside the pages.
  struct Death {
    base::ExitStatus status;
    std::string stage;  ///< profile key of the stage in work
    bool hung = false;
    bool killed_at_stop = false;  ///< a SIGKILL may be the coordinator's own, as the run stops
    std::vector<std::string> last_lines{};
  };
  /// `view`: read after the worker's end.
  CrashReport report(plan::WorkerId id, const WorkerView& view, Death death);

 private:
  std::string cause_of(plan::WorkerId id, const Death& death);

  const plan::Topology& topology_;
  const shm::SupervisorView& view_;
  OomWatch oom_;
};

}  // namespace pystream::coord
