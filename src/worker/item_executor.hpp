#pragma once

#include <string>

#include "worker/segment_work.hpp"

namespace pystream::worker {

/// Takes inputs from the link one at a time and runs the stages on each.
class ItemExecutor {
 public:
  explicit ItemExecutor(SegmentWork& work) : work_(work) {}

  /// One input; false if there is none.
  bool take_next();
  /// The stage threw `reason` on the next input when it was one of a batch: tries it again by itself, or gives it up.
  void take_failed(const std::string& reason);

 private:
  void take(const shm::Record& record);
  void take_item(const shm::Record& record);
  void process(const shm::Record& record);
  void tag(const shm::Record& record);
  void finish_item(const shm::Record& record);
  void finish(const shm::Record& record);

  SegmentWork& work_;
};

}  // namespace pystream::worker
