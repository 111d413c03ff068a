#pragma once

#include <optional>

#include "base/unique_fd.hpp"

namespace pystream::coord {

/// The signals that ask a coordinator to end, as a descriptor to wait on. They stay blocked when this object is gone:
/// none of them is to cut off what is left to say after a run.
class StopSignals {
 public:
  struct Signal {
    int number = 0;
    bool from_kernel = false;  ///< no process has sent it: a key on a terminal, or its end
  };

  /// SIGTERM; with `interrupts` also SIGINT, SIGHUP and SIGQUIT, but for those that were ignored at the start of this
  /// process (nohup, a job in the background). Throws std::system_error.
  explicit StopSignals(bool interrupts);
  int fd() const { return fd_.get(); }
  /// The next one that has come.
  [[nodiscard]] std::optional<Signal> next();

 private:
  base::UniqueFd fd_;
};

}  // namespace pystream::coord
