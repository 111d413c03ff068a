#pragma once

#include <cstdint>

#include "worker/async_lane.hpp"
#include "worker/segment_work.hpp"

namespace pystream::worker {

/// Runs a segment of one AsyncStage: the stage gets inputs while answers to earlier ones are outstanding. What it has
/// answered is committed in order, and only that is released.
class AsyncExecutor {
 public:
  /// REQUIRES: `stage` is the segment's only one.
  AsyncExecutor(SegmentWork& work, AsyncStage& stage);

  /// Takes what inputs there are and commits what answers there are. False if there was neither, and none is
  /// outstanding.
  bool run();

 private:
  bool feed();
  bool one_at_a_time() const;
  bool must_answer();
  bool finish_oldest(bool may_wait);
  bool collect(bool may_wait);

  SegmentWork& work_;
  AsyncLane lane_;
  /// Inputs before this one were in flight at the last deaths. They go one at a time, to isolate the culprit.
  std::uint64_t isolate_until_;
};

}  // namespace pystream::worker
