#pragma once

namespace pystream {

/// Writes what it knows of the calling thread's stack to a descriptor, a line for each frame.
using StackWriter = void (*)(int fd);

/// For the runtime of another language: from now on a worker of this process calls it when it crashes, and when it is
/// asked where it hangs. It runs in a signal handler of the thread in question,
/// so it calls only what is async-signal-safe. What it writes is a part of the worker's log. nullptr: none (the
/// default). Workers made by fork inherit it.
void set_stack_writer(StackWriter writer) noexcept;

}  // namespace pystream
