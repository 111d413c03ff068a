#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "coord/audit.hpp"
#include "coord/coordinator.hpp"

namespace pystream::cli {

/// How a run ended, for its last line and its exit code.
struct RunEnd {
  coord::Outcome outcome = coord::Outcome::done;
  std::string failure;                                      ///< why, if it failed
  coord::Audit audit;                                       ///< of all its items
  std::string letters_command;                              ///< lists its dead letters
  std::optional<std::chrono::nanoseconds> drain_timeout{};  ///< by which it was stopped, if it was
  bool accept_dead_letters = false;                         ///< they are no reason for another exit code
  bool paused = false;                                      ///< a part of a run over several hosts, which goes on later
};

/// The last line without its "pystream-coord: "; empty if every item arrived and none is to come.
std::string last_line(const RunEnd& end);

/// 0 only if every item arrived or was dropped or skipped because the plan says so, and the run is not paused.
int exit_code(const RunEnd& end);

}  // namespace pystream::cli
