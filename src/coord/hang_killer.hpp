#pragma once

#include <optional>
#include <vector>

#include "coord/stack_requests.hpp"
#include "coord/worker_processes.hpp"
#include "shm/segment.hpp"

namespace pystream::coord {

/// Kills workers that hang, each once it has written its stack to its page, or after a second without an answer.
class HangKiller {
 public:
  HangKiller(const shm::SupervisorView& view, WorkerProcesses& processes);

  /// Asks the worker for its stack. One that cannot answer is killed at once.
  void kill(plan::WorkerId id, Time now);
  /// Kills those that have answered, or have had their second.
  void on_tick(Time now);
  /// The worker has ended. True if it was to be killed because it hung.
  bool on_exit(plan::WorkerId id);
  /// When on_tick() is due next; nullopt: no worker was asked.
  std::optional<Time> next_look(Time now) const { return requests_.next_look(now); }

 private:
  const shm::SupervisorView& view_;
  WorkerProcesses& processes_;
  StackRequests requests_;
  std::vector<bool> hung_;  ///< of each worker
};

}  // namespace pystream::coord
