#pragma once

#include <pystream/options.hpp>

/// What this process is: the user's, or a worker forked from it; and what Python must be told of a fork.
namespace pystream::python {

/// Whether this is a worker: what a stage throws is then told as text.
bool is_worker();
/// Says that this process is one, and readies Python for it: its output by lines, its stack in reports of crashes.
/// REQUIRES: this thread holds Python's lock.
void become_worker();

/// Writes what stages have printed. Throws PythonError. REQUIRES: this thread holds Python's lock.
void flush_output();

/// Python's part in a fork. The thread that starts the pipeline does not hold Python's lock when they are called.
/// `takes_lines`: workers write to their standard error what they would else write to a substitute for it, as notebooks
/// have one.
ForkHooks fork_hooks(bool takes_lines);

}  // namespace pystream::python
