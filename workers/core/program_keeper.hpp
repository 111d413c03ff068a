#pragma once

#include <sys/types.h>

namespace pystream::core {

/// What a process that was just forked needs to become a program and its keeper.
struct ProgramStart {
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  const char* directory = "";  ///< where it runs; empty: here
  int input = -1;              ///< becomes its standard input
  int output = -1;             ///< becomes its standard output
  int report = -1;             ///< a StartFault is written here; closed once the program runs
  int control = -1;            ///< socket to the worker; see keep_program()
  pid_t parent = 0;            ///< the worker
};

/// Why a program could not be started.
struct StartFault {
  enum Step : int { process, descriptors, directory, program };
  Step step;
  int error;
};

/// Name of a keeper process, as `ps -o comm` shows it.
inline constexpr const char* kKeeperName = "pystream-exec";

/// Runs the program as a child and ends everything that it left behind: its process group, background children, and
/// processes that moved to a session of their own, which the kernel hands to the keeper (PR_SET_CHILD_SUBREAPER).
///
///   worker ── keeper (own session) ── program (own process group) ── its children
///
/// - When the program ends, the keeper sends its wait status (an int) over `control` and waits on.
/// - When the worker shuts `control` down or dies, however that happens, the keeper kills all that is left and exits.
///
/// REQUIRES: called in the child of a fork. Uses async-signal-safe functions only, since the worker may have threads.
[[noreturn]] void keep_program(const ProgramStart& start);

}  // namespace pystream::core
