#pragma once

#include <cstdint>
#include <pystream/detail/stage_adapter.hpp>

#include "shm/ring_reader.hpp"
#include "shm/ring_writer.hpp"
#include "worker/monitor.hpp"

namespace pystream::worker {

/// Hands a stage, source or sink of plain items many of them in one call, straight from link to link. For each run: one
/// of the collect()s, reserve(), work(), keep().
class BatchCall {
 public:
  static constexpr std::int64_t kLateNs = 200'000;  ///< much longer than a run should take

  /// `stage` must do runs: see StageAdapter::run_sizes(). A sink's `output` is terminal. `late_ns`: see late().
  BatchCall(StageAdapter& stage, shm::RingWriter& output, Monitor& monitor, std::int64_t late_ns = kLateNs);

  /// Finds up to `limit` items that are there, of the stage's type; of sequence numbers from s on `ahead(s, most)` may
  /// be taken. False: there are none, or the next item is not of that kind.
  template <class Input, class Ahead>
  bool collect(Input& input, std::uint32_t limit, const Ahead& ahead);
  /// Of a source whose next item is number `next`.
  template <class Ahead>
  bool collect(std::uint64_t next, std::int64_t entered_ns, std::uint32_t limit, const Ahead& ahead);
  /// Reserves room for what they may give; how many of them will be taken. 0: the output link is full.
  std::uint32_t reserve();

  /// Calls the stage; what it throws comes out as it is; done() items before that one are done. `one_by_one`: the item
  /// in work is named, not only its part of the run. False: a source has ended.
  bool work(bool one_by_one);
  std::uint32_t done() const { return done_before_ + part_.done; }
  /// The stage took very long, as one does that waits for the outside world. What is done is not to wait for more; so
  /// the run may have ended early.
  bool late() const { return late_; }
  /// When all items of the run entered the pipeline.
  std::int64_t entered_ns() const { return entered_ns_; }
  void set_entered(std::int64_t ns) { entered_ns_ = ns; }
  /// Makes a record of what was given; how many items. It stays private until the commit.
  std::uint32_t keep();

 private:
  std::uint32_t most(std::uint32_t limit) const;
  /// Each item of a run may have an answer of its own.
  bool answers_each() const { return !sizes_.filters && !output_.deals(); }
  shm::RunItems given() const;
  void begin_part(bool one_by_one);

  StageAdapter& stage_;
  shm::RingWriter& output_;
  Monitor& monitor_;
  std::int64_t late_ns_;
  detail::RunSizes sizes_;
  detail::ItemRun run_;            ///< as collected: its items may be more than a stage gets at once
  detail::ItemRun part_;           ///< of it, as the stage gets it
  std::uint32_t done_before_ = 0;  ///< in the parts before
  bool late_ = false;
  std::int64_t entered_ns_ = 0;
  std::uint32_t found_ = 0;       ///< items that were collected
  std::uint8_t closes_ = 0;       ///< by the last of them
  std::uint8_t closes_each_ = 0;  ///< by each of the others
};

template <class Input, class Ahead>
bool BatchCall::collect(Input& input, std::uint32_t limit, const Ahead& ahead) {
  const shm::FoundItems found = input.try_items(sizes_.in, most(limit), ahead);
  run_.in = found.payload;
  run_.in_step = found.step;
  run_.items = found.items;
  run_.sequence = found.sequence;
  run_.sequences = found.sequences;
  run_.first_number = input.next_number();
  entered_ns_ = found.entered_ns;
  found_ = found.items;
  closes_ = found.closes;
  closes_each_ = found.closes_each;
  return found.items != 0 && (closes_each_ == 0 || answers_each());
}

template <class Ahead>
bool BatchCall::collect(std::uint64_t next, std::int64_t entered_ns, std::uint32_t limit, const Ahead& ahead) {
  run_.items = ahead(next, most(limit));
  run_.sequence = next;
  run_.sequences = shm::low_bits(run_.items);
  run_.first_number = next;
  entered_ns_ = entered_ns;
  return run_.items != 0;
}

}  // namespace pystream::worker
