#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/event_loop.hpp"
#include "base/pidfd.hpp"
#include "coord/launcher.hpp"
#include "coord/worker_log.hpp"

namespace pystream::coord {

/// The worker processes of a run: starts, signals and reaps them, and reads their standard error. The destructor kills
/// and reaps those that are left.
class WorkerProcesses {
 public:
  struct Callbacks {
    std::function<void(plan::WorkerId)> exited{};  ///< it is time for try_reap()
    std::function<void(plan::WorkerId, const std::string& line)> line{};
  };

  WorkerProcesses(std::size_t workers, base::EventLoop& loop, Launcher& launcher, Callbacks callbacks);
  ~WorkerProcesses();
  WorkerProcesses(const WorkerProcesses&) = delete;
  WorkerProcesses& operator=(const WorkerProcesses&) = delete;

  /// Throws std::system_error if the system refuses.
  void start(plan::WorkerId id, const LaunchFds& fds);
  /// How the worker ended; nullopt while it runs. Waits up to a second for the programs that it has run to end, and
  /// reads its standard error to the end.
  std::optional<base::ExitStatus> try_reap(plan::WorkerId id);
  bool runs(plan::WorkerId id) const { return workers_.at(id).running; }
  /// 0 while the worker does not run.
  pid_t pid_of(plan::WorkerId id) const { return runs(id) ? workers_[id].process.pid : 0; }
  /// False if the worker does not run.
  bool signal(plan::WorkerId id, int signal);
  /// The last lines of its standard error since the previous call.
  std::vector<std::string> take_last_lines(plan::WorkerId id) { return workers_.at(id).log.take_last_lines(); }

 private:
  struct Worker {
    Launched process;
    WorkerLog log;
    bool running = false;
  };

  void await_programs(plan::WorkerId id);
  void read_errors(plan::WorkerId id);
  WorkerLog::OnLine on_line(plan::WorkerId id) const;

  base::EventLoop& loop_;
  Launcher& launcher_;
  Callbacks callbacks_;
  std::vector<Worker> workers_;
};

}  // namespace pystream::coord
