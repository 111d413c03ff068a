#pragma once

#include <cstdint>

namespace pystream::worker {

/// How many items may share a commit, at the speed of a segment's stages: what slow stages give leaves at once, what
/// fast ones give together.
///
/// A fast stage may still wait for the outside world now and then, as a source of live data does between two bursts.
/// What it gave before would lie there uncommitted meanwhile. So a stage that was seen to wait has every item committed
/// by itself, until it has not waited for a while; each time that was too short, the while gets longer.
class BatchSizer {
 public:
  static constexpr std::uint32_t kLargestBatch = 4096;
  static constexpr std::int64_t kBatchAimNs = 20'000;  ///< the items of one commit should take so long together
  static constexpr std::int64_t kSlowItemNs = 1'000;   ///< from here on every item is timed

  /// `expected_item_ns`: until it was measured. `one_by_one`: every item has a commit of its own, however fast.
  BatchSizer(std::int64_t expected_item_ns, bool one_by_one);

  /// Items of the next commit.
  std::uint32_t batch() const { return careful_ > 0 ? 1 : batch_; }
  /// Items of a run. What is cut into two here stays so for all stages behind, and is cut again there; so a run may
  /// reach beyond the batch.
  std::uint32_t run() const { return batch() == 1 ? 1 : kRunBatches * batch_; }
  bool slow() const { return item_ns_ >= kSlowItemNs; }

  /// `items` took `ns` together, the worker's own waiting not counted.
  void note(std::uint32_t items, std::int64_t ns);
  /// The sink took `ns` to hand over the items of the last commit, however many they were. The items of the next one
  /// should take as long together: then half of the time at most goes to that, and an item waits at most as long again.
  void note_flush(std::int64_t ns);
  /// The worker itself has slept; the stages had no part in that.
  void note_own_sleep() { own_sleep_ = true; }
  /// An item is to be done while another waits for the commit: from here on it matters whether the stage waits. (To ask
  /// the system how often it did costs as much as an item, so that is deferred to this point.)
  void note_several() {
    if (own_sleep_) {
      look_at_waits();
    }
  }

 private:
  /// A wait is longer than this: what a thread needs to go to sleep and wake up.
  static constexpr std::int64_t kWaitNs = 20'000;
  static constexpr std::uint32_t kRunBatches = 4;
  static constexpr std::uint32_t kCareful = 256;
  static constexpr std::uint32_t kMostCareful = 1 << 20;

  void set_batch();
  void look_at_waits();

  std::int64_t item_ns_;
  std::int64_t aim_ns_ = kBatchAimNs;
  bool one_by_one_;
  std::uint32_t batch_ = 1;
  std::uint32_t careful_;  ///< items that still go one by one
  std::uint32_t next_careful_ = kCareful;
  std::int64_t seen_waits_;
  bool own_sleep_ = false;  ///< since the look at seen_waits_
};

}  // namespace pystream::worker
