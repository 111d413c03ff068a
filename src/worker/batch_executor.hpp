#pragma once

#include <cstdint>
#include <string>

#include "worker/batch_call.hpp"
#include "worker/item_executor.hpp"
#include "worker/segment_work.hpp"
#include "worker/source_executor.hpp"
#include "worker/unit_sizer.hpp"

namespace pystream::worker {

/// Takes many inputs in one call of a segment's only stage, where that is possible and none of them is timed. What
/// else there is, an executor of single inputs takes.
class BatchExecutor {
 public:
  /// The segment has one stage of plain items whose outputs need no look of their own.
  static bool fits(SegmentWork& work);
  /// `source`: of a segment with a source in front, else nullptr. REQUIRES: fits().
  BatchExecutor(SegmentWork& work, ItemExecutor& items, SourceExecutor* source);

  /// How many inputs were taken. 0: the next one must be taken by itself, or there is none.
  std::uint32_t take();
  /// The last call took very long; what it gave must not wait for more.
  bool late() const { return call_.late(); }

 private:
  std::uint32_t limit();
  bool collect();
  std::uint32_t reserve();
  void count(std::uint32_t items, std::uint32_t given);
  void fail(const std::string& reason);

  SegmentWork& work_;
  ItemExecutor& items_;
  SourceExecutor* source_;
  BatchCall call_;
  UnitSizer units_;  ///< of a segment that deals
  bool names_each_;  ///< item in work, in the worker's page: a policy looks at single items
};

}  // namespace pystream::worker
