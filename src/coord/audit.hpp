#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plan/topology.hpp"
#include "shm/segment.hpp"

namespace pystream::coord {

/// What the journals of a pipeline that has ended say about every item. A link numbers its records without a gap, its
/// reader checks the number of each, and the journal behind it says how many of them were done: so each record was
/// handled once and in order exactly if the two agree. Items that were in a link or in work when the run was stopped
/// are lost.
struct Audit {
  std::uint64_t in = 0;             ///< items that the sources gave
  std::uint64_t out = 0;            ///< items that the sinks have taken
  std::uint64_t lost = 0;           ///< records written and never done
  std::uint64_t doubled = 0;        ///< records done more often than they were written
  std::uint64_t refused = 0;        ///< workers that gave up on a record that was not the next one, or was damaged
  std::uint64_t dropped = 0;        ///< by links that may drop
  std::uint64_t given_up = 0;       ///< items that ended in an error: dead letters, or skipped
  std::uint64_t letters = 0;        ///< of these: dead letters
  std::uint64_t losses = 0;         ///< reported by sources and sinks: see report_loss()
  std::vector<std::string> faults;  ///< which link, and what
  /// Items that were never done, in front of a stage.
  struct Left {
    std::string stage;  ///< key
    std::uint64_t items = 0;
  };
  std::vector<Left> left;  ///< in the order of the items' way, where there are any
};

/// REQUIRES: every worker has ended.
Audit audit(const plan::Topology& topology, const shm::SupervisorView& view);

}  // namespace pystream::coord
