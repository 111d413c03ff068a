#pragma once

#include <string>

#include "worker/segment_work.hpp"

namespace pystream::worker {

/// Takes inputs from the link one at a time and runs the stages on each.
class ItemExecutor {
 public:
  explicit ItemExecutor(SegmentWork& work);

  /// One input; false if there is none.
  bool take_next();
  /// Up to `limit` inputs of a segment's only stage, none of which is timed; how many. What ends them is for
  /// take_next(). REQUIRES: untimed items are allowed in this batch.
  std::uint32_t take_untimed(std::uint32_t limit);
  /// The stage threw `reason` on the next input when it was one of a batch: tries it again by itself, or gives it up.
  void take_failed(const std::string& reason);
  /// As take_failed(), of an input that has begun to give its output to the segment's.
  void take_up_failed(const std::string& reason);
  /// The stage was called for the next input, which has given its output to the segment's.
  void finish_next();

 private:
  bool may_take_untimed(const shm::Record* record);
  void take(const shm::Record& record);
  void take_item(const shm::Record& record);
  void process(const shm::Record& record);
  void tag(const shm::Record& record);
  void finish_item(const shm::Record& record);
  void finish(const shm::Record& record);

  SegmentWork& work_;
  ItemAdapter* only_;  ///< the only stage, where take_untimed() takes anything; else nullptr
  // Items with a sequence number from `untimed_from_` on, as many as this, are not timed.
  std::uint64_t untimed_from_ = 0;
  std::uint32_t untimed_ = 0;
};

}  // namespace pystream::worker
