#pragma once

#include <memory>
#include <vector>

#include "worker/segment_runner.hpp"

namespace pystream::worker {

/// A worker's whole work: its segments, one or (a serial row with parallel children) several. With several, segment 0
/// takes the next item only when the last has committed this one; the journals say where a dead predecessor stood.
class Row {
 public:
  explicit Row(std::vector<std::unique_ptr<SegmentRunner>> segments);

  /// Returns when the input has ended and every end mark is out. Throws what SegmentRunner throws.
  void run();
  /// Lets every stage clean up, in their order.
  void cleanup();

 private:
  void run_alone(SegmentRunner& segment);
  void run_in_turn();
  static void complete_item(SegmentRunner& segment);

  std::vector<std::unique_ptr<SegmentRunner>> segments_;
};

}  // namespace pystream::worker
