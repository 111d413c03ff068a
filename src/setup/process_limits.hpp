#pragma once

#include <string>

#include "plan/topology.hpp"

namespace pystream::setup {

/// What a worker's process may use. Stages that share a worker share the strictest of their limits.
struct ProcessLimits {
  plan::Limits limits;
  std::string stage;  ///< key of a stage that set one of them, for messages

  bool memory() const { return limits.memory > 0; }
};

/// Throws Error if the stages' CPU sets have no CPU in common.
ProcessLimits limits_of(const plan::Topology& topology, plan::WorkerId id);

}  // namespace pystream::setup
