#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "worker/segment_work.hpp"
#include "worker/source_faults.hpp"

namespace pystream::worker {

/// Asks the source in front of a segment for its items, one call at a time, and runs the stages behind it on each.
class SourceExecutor final : public SourceGuard {
 public:
  explicit SourceExecutor(SegmentWork& work);

  /// What the source gives in one call. False if it gave nothing and has not ended.
  bool take_next();
  /// A call of the source is over that gave its items, if any, to the segment's output, or threw `fault`; `more`: it
  /// has not ended. `gave_before`: it gave some that are counted already. As take_next(). Throws StageFailed.
  bool finish_call(const std::optional<std::string>& fault, bool more, bool gave_before = false);
  /// The last call gave nothing: the source waits, or was interrupted. What it gave before is to be committed before
  /// the next call, which may take long.
  bool pauses() const { return pauses_; }
  /// The stages behind a source run on the item that it has just made. What they throw is not the source's.
  void run_made(const Item& item) override;

  SourceFaults& faults() { return faults_; }
  /// The source was asked to end.
  bool is_over() const;
  /// It was asked to end, and is not asked for more: it holds no items that it cannot read again.
  bool is_done() const { return is_over() && !work_.chain.source()->buffered(); }
  /// Items that the run may still have.
  std::uint64_t left() const;

 private:
  void finish(std::uint64_t given);

  SegmentWork& work_;
  SourceFaults faults_;
  bool pauses_ = false;
};

}  // namespace pystream::worker
