#pragma once

namespace pystream::cli {

/// In a container this program may be the first process (PID 1), which the kernel treats differently: signals that it
/// does not handle have no effect on it, and it has to reap every process whose parent has died. Then this function
/// returns in a child, which does the work; the first process passes it the signals that it gets, reaps, and exits with
/// the child's exit code (128 + the number of the signal that killed it). Else it does nothing. Throws
/// std::system_error if there can be no child. REQUIRES: no other thread.
void leave_first_process();

}  // namespace pystream::cli
