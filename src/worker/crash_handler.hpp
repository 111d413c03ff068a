#pragma once

#include <cstddef>
#include <memory>

#include "shm/segment_abi.hpp"

namespace pystream::worker {

/// While one of these lives, the worker reports its stack when it is asked (stack_signal()), and a signal that
/// ends the process for a fault of its own first leaves a CrashRecord: where it happened and how the stack stood. Then
/// the signal takes its course, so that the exit status stays true. A stage may install handlers of its own. Does
/// nothing under a sanitizer that has such handlers itself.
class CrashHandler {
 public:
  /// At most one in a process. REQUIRES: `page` lives to the end of the process.
  explicit CrashHandler(shm::WorkerPage& page);
  ~CrashHandler();
  CrashHandler(const CrashHandler&) = delete;
  CrashHandler& operator=(const CrashHandler&) = delete;

 private:
  shm::WorkerPage& page_;
  std::unique_ptr<std::byte[]> stack_;  ///< the handler's own: the fault may be that the stack is full
};

/// Makes the thread of a worker that gets it fill the CrashRecord and go on, if WorkerPage::takes_stack_requests.
int stack_signal();

/// Addresses are told by module; this looks at what is loaded now. Not for use in a signal handler.
void note_loaded_modules();

}  // namespace pystream::worker
