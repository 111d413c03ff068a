#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <pystream/detail/stage_adapter.hpp>

#include "base/unique_fd.hpp"
#include "plan/topology.hpp"

namespace pystream::worker {

/// What a process needs to be a worker.
struct WorkerStart {
  plan::WorkerId id = 0;
  base::UniqueFd segment;
  base::UniqueFd bell;  ///< eventfd that the coordinator listens to
  const plan::Topology* topology = nullptr;
  /// Makes a stage; throws if it cannot be made.
  std::function<std::unique_ptr<StageAdapter>(plan::StageId)> make;
  /// Whether this process may open the profile database: it was exec'd. One that was forked out of a user's program
  /// must not, as it has inherited what SQLite knows of the program's own connections; see `helper_program`.
  bool opens_database = true;
  /// The worker program, which then opens it in a process of its own.
  std::filesystem::path helper_program{};
};

/// How long an end of a link spins before it sleeps: spinning pays only while every process has a core of its own.
std::int64_t spin_ns(std::size_t processes);

/// Signals of a worker: SIGTERM means "the pipeline drains" (and interrupts system calls, until
/// run_worker() finds that it has no source). What a terminal or a whole process group is sent (SIGINT,
/// SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2) is ignored, SIGPIPE and SIGXFSZ show only as errors of system calls. The process
/// dies with its parent `parent`; this call ends it if the parent is dead already.
void adopt_worker_signals(int parent);

/// The life of a worker: attach, make the stages, run, clean up. Returns the exit code; everything that went wrong
/// stands in its WorkerPage.
int run_worker(WorkerStart start);

}  // namespace pystream::worker
