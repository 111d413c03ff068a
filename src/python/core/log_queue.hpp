#pragma once

#include <pystream/log.hpp>

namespace pystream::python {

/// From now on what the library says in this process is kept until tell_log().
void keep_log();
/// Gives what was kept to Python's logger. (The library's logger runs under a lock; Python's lock must not be waited
/// for there, by a thread that another one waits for which has it.) REQUIRES: this thread holds Python's lock.
void tell_log() noexcept;

}  // namespace pystream::python
