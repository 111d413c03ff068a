#pragma once

#include <chrono>
#include <optional>

#include "coord/supervisor.hpp"
#include "coord/worker_processes.hpp"
#include "shm/segment.hpp"

namespace pystream::coord {

/// Tells workers to drain or to stop. A signal or wake-up may fall into the gap between a worker's last check and its
/// sleep, so both are repeated until the worker has ended: after 2 ms at first, later every 50 ms.
class WorkerCommands {
 public:
  /// `stop_grace`: how long a stopped worker has for its cleanup() before it is killed.
  WorkerCommands(const plan::Topology& topology, const shm::SupervisorView& view, const Supervisor& supervisor,
                 WorkerProcesses& processes, Time stop_grace);

  /// Sources end their input; a sink that waits for the reader of a FIFO gives up.
  void drain(Time now);
  /// The end of the items that is yet to come is not the end of the input: see pystream::cut_short().
  void cut_short();
  /// Those that are to stop, as Supervisor::stopping() says, end at once, and what comes to an end is cut short.
  void stop(Time now);
  /// From now on a worker that is to stop is killed without its grace time.
  void end_grace() { grace_ = {}; }
  /// Wakes every process that sleeps on a link of this worker.
  void wake_links_of(plan::WorkerId id) const;
  /// When on_tick() is due next; nullopt: no worker was told anything.
  std::optional<Time> next_repeat() const;
  void on_tick(Time now);

 private:
  void repeat(Time now);
  void write(plan::WorkerId id, shm::Command command);
  bool is_in_source(plan::WorkerId id) const;

  const plan::Topology& topology_;
  const shm::SupervisorView& view_;
  const Supervisor& supervisor_;
  WorkerProcesses& processes_;
  std::optional<Time> grace_;  ///< none: workers are killed at once
  bool draining_ = false;
  Time stopped_at_{};
  Time next_{};
  Time period_{};
};

}  // namespace pystream::coord
