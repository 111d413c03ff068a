#pragma once

#include "worker/segment_work.hpp"
#include "worker/source_faults.hpp"

namespace pystream::worker {

/// Asks the source in front of a segment for its items, one call at a time, and runs the stages behind it on each.
class SourceExecutor final : public SourceGuard {
 public:
  explicit SourceExecutor(SegmentWork& work);

  /// What the source gives in one call. False if it gave nothing and has not ended.
  bool take_next();
  /// The stages behind a source run on the item that it has just made. What they throw is not the source's.
  void run_made(const Item& item) override;

  SourceFaults& faults() { return faults_; }
  /// The source was asked to end, or has given as many items as the run may have. It is still asked for those that it
  /// holds and cannot read again.
  bool is_over() const;
  /// Items that the run may still have.
  std::uint64_t left() const;

 private:
  void finish(std::uint64_t given);

  SegmentWork& work_;
  SourceFaults faults_;
};

}  // namespace pystream::worker
