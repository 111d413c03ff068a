#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "worker/chain.hpp"
#include "worker/fault_handler.hpp"
#include "worker/link_output.hpp"
#include "worker/monitor.hpp"

namespace pystream::worker {

/// Decides whether a source is called again after it threw. What the source could not use takes the number of an item
/// that nothing came of.
class SourceFaults {
 public:
  SourceFaults(Chain& chain, FaultHandler& faults, Flow& flow, Monitor& monitor)
      : chain_(chain), faults_(faults), flow_(flow), monitor_(monitor) {}

  /// A source whose cursor has moved beyond the fault, or that `gave_items` before it, makes progress. One that only
  /// throws would never end; it gets as many attempts as its policy says.
  bool goes_on(bool gave_items);
  /// The source gave an item and did not throw.
  void note_success() { in_a_row_ = 0; }
  /// REQUIRES: goes_on().
  void leave_out(const std::string& reason);

 private:
  Chain& chain_;
  FaultHandler& faults_;
  Flow& flow_;
  Monitor& monitor_;
  std::uint32_t in_a_row_ = 0;     ///< faults without anything in between
  std::vector<std::byte> cursor_;  ///< at the last of them
  std::uint32_t reported_ = 0;     ///< on standard error
};

}  // namespace pystream::worker
