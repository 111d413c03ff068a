#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>
#include <vector>

#include "base/unique_fd.hpp"
#include "coord/worker_streams.hpp"
#include "plan/topology.hpp"

namespace pystream::coord {

/// A worker process as the coordinator holds it.
struct Launched {
  pid_t pid = 0;
  base::UniqueFd pidfd;
  base::UniqueFd errors;  ///< read end of its standard error, non-blocking
};

/// What a worker process inherits.
struct LaunchFds {
  int segment = -1;
  int bell = -1;
  std::string_view name;  ///< of the worker, as its command line shows it to people
};

/// Starts worker processes. Throws std::system_error if the system refuses.
class Launcher {
 public:
  virtual ~Launcher() = default;
  virtual Launched launch(plan::WorkerId id, const LaunchFds& fds) = 0;
};

/// `spawn`: runs the worker program, which creates its stages from the plan text in the segment.
class SpawnLauncher final : public Launcher {
 public:
  /// `streams`: of each worker. `fds`: how many descriptors a worker needs at least.
  SpawnLauncher(std::filesystem::path program, std::vector<WorkerStreams> streams, std::uint64_t fds = 0)
      : program_(std::move(program)), streams_(std::move(streams)), fds_(fds) {}
  Launched launch(plan::WorkerId id, const LaunchFds& fds) override;

 private:
  std::filesystem::path program_;
  std::vector<WorkerStreams> streams_;
  std::uint64_t fds_;
};

/// `fork`: the worker is a copy of the coordinator process and calls `body` with private copies of the descriptors;
/// its return value is the exit code.
class ForkLauncher final : public Launcher {
 public:
  using Body = std::function<int(plan::WorkerId, base::UniqueFd segment, base::UniqueFd bell)>;
  /// `keeps`: descriptors beside the standard ones that workers keep; all others are closed.
  explicit ForkLauncher(Body body, std::vector<int> keeps = {}, std::uint64_t fds = 0)
      : body_(std::move(body)), keeps_(std::move(keeps)), fds_(fds) {}
  Launched launch(plan::WorkerId id, const LaunchFds& fds) override;

 private:
  Body body_;
  std::vector<int> keeps_;
  std::uint64_t fds_;
};

}  // namespace pystream::coord
