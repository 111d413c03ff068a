#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace pystream::base {

/// A program that works beside this process and gets its orders through descriptors.
struct HelperCommand {
  std::vector<std::string> arguments;  ///< the first is the path of the program
  std::vector<int> fds;                ///< become 3, 4, …; of the others only standard error stays
  int errors = -1;                     ///< becomes its standard error; -1: that of this process
  bool dies_with_parent = false;       ///< killed once the calling thread has ended
};

/// Starts it by fork and exec; between the two only async-signal-safe calls are made, so that threads of this process
/// may hold any lock. Its standard input and output are /dev/null, its signals are not blocked, and it ignores those
/// that a terminal or a session sends (SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE). Returns its pid; the caller reaps
/// it. Throws std::system_error if the system refuses. A program that cannot be run ends with 127 and says so on
/// standard error.
pid_t start_helper(const HelperCommand& command);

}  // namespace pystream::base
