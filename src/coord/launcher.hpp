#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <set>
#include <vector>

#include "base/unique_fd.hpp"
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
};

/// Starts worker processes. Throws std::system_error if the system refuses.
class Launcher {
 public:
  virtual ~Launcher() = default;
  virtual Launched launch(plan::WorkerId id, const LaunchFds& fds) = 0;
};

/// `spawn`: runs the worker program anew; it makes its stages from the plan text in the segment.
class SpawnLauncher final : public Launcher {
 public:
  /// `keeps_stdin`: workers that read the terminal or pipe this coordinator was started on; the others get /dev/null.
  SpawnLauncher(std::filesystem::path program, std::set<plan::WorkerId> keeps_stdin)
      : program_(std::move(program)), keeps_stdin_(std::move(keeps_stdin)) {}
  Launched launch(plan::WorkerId id, const LaunchFds& fds) override;

 private:
  std::filesystem::path program_;
  std::set<plan::WorkerId> keeps_stdin_;
};

/// `fork`: the worker is a copy of the coordinator process and calls `body` with private copies of the descriptors;
/// its return value is the exit code.
class ForkLauncher final : public Launcher {
 public:
  using Body = std::function<int(plan::WorkerId, base::UniqueFd segment, base::UniqueFd bell)>;
  /// `keeps`: descriptors beside the standard ones that workers keep; all others are closed.
  explicit ForkLauncher(Body body, std::vector<int> keeps = {}) : body_(std::move(body)), keeps_(std::move(keeps)) {}
  Launched launch(plan::WorkerId id, const LaunchFds& fds) override;

 private:
  Body body_;
  std::vector<int> keeps_;
};

}  // namespace pystream::coord
