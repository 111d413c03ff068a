#pragma once

#include <string>

#include "plan/topology.hpp"
#include "worker/monitor.hpp"

namespace pystream::worker {

/// What a worker's process may use. Stages that share a worker share the strictest of their limits.
struct ProcessLimits {
  plan::Limits limits;
  std::string stage;  ///< key of a stage that set one of them, for messages

  bool memory() const { return limits.memory > 0; }
};

/// Throws Error if the stages' CPU sets have no CPU in common.
ProcessLimits limits_of(const plan::Topology& topology, plan::WorkerId id);

/// CPU time, nice, affinity. Throws Error that names what the system refused.
void apply_limits(const ProcessLimits& limits);
/// Beyond what the process has now, it gets so much memory: heap and private mappings count, links and code do not.
void apply_memory_limit(const ProcessLimits& limits);

/// A stage got no memory although its limit is what ran out: a crash, not an error of the item.
[[noreturn]] void crash_out_of_memory(const ProcessLimits& limits, Monitor& monitor);

}  // namespace pystream::worker
