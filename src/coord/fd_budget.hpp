#pragma once

#include <cstdint>

#include "plan/topology.hpp"

namespace pystream::coord {

/// How many descriptors the processes of a pipeline hold at most at once, with some in reserve for what stages open.
struct FdBudget {
  std::uint64_t coordinator = 0;
  std::uint64_t worker = 0;  ///< the one that needs most

  std::uint64_t needed() const { return coordinator > worker ? coordinator : worker; }
};

/// `open_now`: those that the coordinator has before it begins.
FdBudget fds_needed(const plan::Topology& topology, std::uint64_t open_now);

/// Throws Error with both numbers if this process, whose limit its workers inherit, may not have so many. To be called
/// before anything is started. REQUIRES: base::raise_fd_limit() was called.
void require_fds(const plan::Topology& topology);

}  // namespace pystream::coord
