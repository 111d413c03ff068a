#include "coord/fd_budget.hpp"

#include <algorithm>
#include <pystream/error.hpp>
#include <string>
#include <vector>

#include "base/open_fds.hpp"

namespace pystream::coord {
namespace {

/// Shared memory, event loop, bell, signals, control socket, standard error, profiler process, its channel and its
/// standard error, an output's lock and the hold on its name, the service manager.
constexpr std::uint64_t kOfCoordinator = 12;
/// A worker's pidfd and the read end of its standard error.
constexpr std::uint64_t kOfEachWorker = 2;
/// Held briefly: the other end of a pipe, a file of /proc, a connection that asks for the status.
constexpr std::uint64_t kForMoments = 6;
/// Standard streams, shared memory, bell, the passed output, the profile database and its log, the dead letters.
constexpr std::uint64_t kOfWorker = 12;
/// A stage's file, or the pipes of its program while it starts.
constexpr std::uint64_t kOfEachStage = 6;

}  // namespace

FdBudget fds_needed(const plan::Topology& topology, std::uint64_t open_now) {
  FdBudget budget{.coordinator = open_now + kOfCoordinator + kForMoments};
  std::vector<std::uint64_t> workers(topology.workers.size(), kOfWorker);
  for (const plan::PlacedStage& placed : topology.stages) {
    workers.at(placed.worker) += kOfEachStage;
  }
  for (std::size_t id = 0; id < workers.size(); ++id) {
    if (!topology.workers[id].external) {
      budget.coordinator += kOfEachWorker;
      budget.worker = std::max(budget.worker, workers[id]);
    }
  }
  return budget;
}

void require_fds(const plan::Topology& topology) {
  const FdBudget budget = fds_needed(topology, base::open_fds().size());
  const std::uint64_t allowed = base::fd_limit();
  if (budget.needed() > allowed) {
    throw Error("the pipeline needs " + std::to_string(budget.needed()) +
                " descriptors in one process, and the system allows it " + std::to_string(allowed) +
                "; raise the hard limit (ulimit -H -n, LimitNOFILE= of systemd)" +
                (budget.coordinator > budget.worker ? " or use fewer parallel stages" : ""));
  }
}

}  // namespace pystream::coord
