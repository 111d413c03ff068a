#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "worker/async_executor.hpp"
#include "worker/batch_executor.hpp"
#include "worker/bytes_executor.hpp"
#include "worker/dead_letters.hpp"
#include "worker/item_executor.hpp"
#include "worker/segment_work.hpp"
#include "worker/source_executor.hpp"
#include "worker/source_runs.hpp"

namespace pystream::worker {

/// Runs one segment of a worker's row: input link (or source) → stages → output link (or sink), and commits.
class SegmentRunner final {
 public:
  SegmentRunner(SegmentParts parts, Monitor& monitor, DeadLetters& letters);

  /// Processes what is there, at most one batch, and commits it. False if there was no input.
  bool run_batch();
  /// Processes one input and commits it; false if there was none. `closed`: the item of the row is complete.
  bool run_one(bool& closed);
  void wait_for_input();
  bool ended() const { return work_.committer.ended(); }
  /// Items of the row that this segment is done with.
  std::uint64_t cycles() const { return work_.committer.cycles(); }
  void cleanup();
  /// The segments behind this one in its row, which outlive its work.
  void set_behind(std::vector<SegmentRunner*> behind);

 private:
  template <class Work>
  bool commit_before_failing(const Work& work);
  bool begin();
  bool take_batch();
  std::uint32_t take_some(std::uint32_t most);
  bool take_next();
  void commit_and_release();
  void commit_moves();
  bool run_behind(const std::vector<SegmentRunner*>& behind);
  template <class Call>
  void for_each_stage(const Call& call);

  SegmentWork work_;
  ItemExecutor items_;
  std::optional<SourceExecutor> source_;
  std::optional<BatchExecutor> batches_;
  std::optional<BytesExecutor> bytes_;
  std::optional<SourceRuns> source_runs_;
  std::optional<AsyncExecutor> async_;
  bool fresh_ = false;  ///< nothing was ever committed: start() is still to be called
};

}  // namespace pystream::worker
