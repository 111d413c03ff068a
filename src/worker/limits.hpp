#pragma once

#include "setup/process_limits.hpp"
#include "worker/monitor.hpp"

namespace pystream::worker {

/// CPU time, nice, affinity. Throws Error that names what the system refused.
void apply_limits(const setup::ProcessLimits& limits);
/// Beyond what the process has now, it gets so much memory: heap and private mappings count, links and code do not.
void apply_memory_limit(const setup::ProcessLimits& limits);

/// A stage got no memory although its limit is what ran out: a crash, not an error of the item.
[[noreturn]] void crash_out_of_memory(const setup::ProcessLimits& limits, Monitor& monitor);

}  // namespace pystream::worker
