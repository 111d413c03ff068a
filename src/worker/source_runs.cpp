#include "worker/source_runs.hpp"

#include <algorithm>

#include "base/kill_point.hpp"
#include "base/mutation.hpp"

namespace pystream::worker {
namespace {

constexpr std::uint32_t kFewest = 2;    ///< items for which this pays
constexpr std::uint32_t kOneByOne = 8;  ///< items until a run is tried again

}  // namespace

bool SourceRuns::fits(const SegmentWork& work) {
  return work.from_source() && work.chain.stages().size() == 1 && work.place.alone() &&
         !work.committer.has_checkpoints() && !work.output.terminal() && !work.output.answers() &&
         !work.ring.shared() && work.ring.overflow() == shm::Overflow::block;
}

/// How many items from the next one on are not to be taken by themselves; 0: fewer than it pays for.
std::uint32_t SourceRuns::untimed(std::uint32_t most) {
  if (source_.is_over() || work_.output.resumes()) {
    return 0;
  }
  most = static_cast<std::uint32_t>(std::min<std::uint64_t>(std::min(most, shm::kMostInRun), source_.left()));
  if (const std::uint64_t died_on = work_.faults.death().number; died_on >= first_) {
    most = static_cast<std::uint32_t>(std::min<std::uint64_t>(most, died_on - first_));
  }
  most = most < kFewest ? 0 : work_.recorder.unwanted_ahead(first_, most);
  return most < kFewest ? 0 : most;
}

/// Items of the size of the last one may be in a run.
bool SourceRuns::has_run_size() {
  size_ = work_.output.last_size();
  return size_ != 0 && size_ % shm::kRecordAlign == 0 && size_ <= work_.ring.run_limit();
}

/// A call begins whose first item has this number.
inline void SourceRuns::begin_call(std::uint64_t number) {
  work_.committer.keep_cursors();
  work_.monitor.begin_item(number, number);
}

/// Calls until `items` are in the run, or one does not give an item into it; false if the source has ended.
bool SourceRuns::call_into_run(std::uint32_t items) {
  SourceAdapter& source = *work_.chain.source();
  given_ = 0;
  output_.begin_run(work_.ring.run_start(), size_);
  output_.begin_input();
  while (given_ < items && !source_.is_done()) {
    if (given_ == 0 || !base::mutated(base::Mutation::stale_cursor_in_run)) {
      begin_call(first_ + given_);
    }
    output_.begin_input();
    const bool more = source.produce(output_);
    const bool gave = !output_.left() && output_.emitted();
    given_ += gave ? 1 : 0;
    if (!more || !gave) {
      return more;
    }
  }
  return true;
}

/// Calls until `items` went to the segment's output, or one gives nothing; false if the source has ended.
bool SourceRuns::call_one_by_one(std::uint32_t items) {
  SourceAdapter& source = *work_.chain.source();
  while (work_.committer.inputs_done() - first_ < items && !source_.is_done()) {
    const std::uint64_t next = work_.committer.inputs_done();
    begin_call(next);
    begin_link_output();
    gave_ = false;
    const bool more = source.produce(work_.output);
    const auto given = static_cast<std::uint32_t>(work_.flow.next_sequence - next);
    count(given);
    gave_ = given > 0;
    if (!more || !gave_) {
      return more;
    }
  }
  return true;
}

void SourceRuns::count(std::uint32_t items) {
  work_.committer.finish_inputs(items, work_.committer.inputs_done() + items);
  work_.meter.count_batch(items, items, work_.flow.tag.entered_ns);
}

/// What the call in work gives from here on goes to the segment's output.
void SourceRuns::begin_link_output() {
  work_.flow.next_sequence = work_.committer.inputs_done();
  work_.flow.origin.reset();
  work_.output.begin_input();
}

/// Makes a record of what the calls so far gave, and counts it. `cut`: the call in work gives what does not fit.
void SourceRuns::close(bool cut) {
  base::kill_point(base::KillPoint::in_run);
  tries_.note(given_, cut);
  if (given_ > 0) {
    work_.ring.finish_run(size_, {.items = given_, .sequences = shm::low_bits(given_)},
                          {.sequence = first_, .part = 0, .entered_ns = work_.flow.tag.entered_ns});
    count(given_);
  }
  given_ = 0;
  begin_link_output();
}

/// The call in work is behind those in the run, and so far gave nothing that the link has.
Output& SourceRuns::leave_run(std::span<const std::byte> emitted) {
  scratch_.assign(emitted.begin(), emitted.end());  // the next record goes where they lie
  close(true);
  if (!scratch_.empty()) {
    work_.output.emit_bytes(scratch_);
  }
  return work_.output;
}

/// The calls into a run are over. `threw`: the last one did, and may have given an item before.
void SourceRuns::end_run(bool threw) {
  gave_ = !output_.left() && output_.emitted();
  if (!output_.left()) {
    given_ += threw && gave_ ? 1 : 0;
    close(false);
  }
}

std::optional<std::uint32_t> SourceRuns::take(std::uint32_t most) {
  first_ = work_.committer.inputs_done();
  const std::uint32_t items = untimed(most);
  if (items == 0) {
    return std::nullopt;
  }
  work_.sizer.note_several();
  work_.chain.clock().start(false);
  work_.chain.clock().begin();
  work_.flow.tag.entered_ns = work_.meter.began();
  work_.flow.input = nullptr;
  gave_ = false;
  const bool wants_run = has_run_size() && !tries_.passes();
  base::kill_point(base::KillPoint::before_run);
  const std::uint32_t room = wants_run ? work_.ring.try_reserve_run(size_, items) : 0;
  bool more = true;
  const auto fault = work_.faults.failure_of([&] {
    // Without room the next item waits for it, and a run may follow.
    more = room >= kFewest ? call_into_run(room) : call_one_by_one(wants_run ? 1 : std::min(items, kOneByOne));
  });
  if (room >= kFewest) {
    end_run(fault.has_value());
  }
  if (work_.committer.inputs_done() > first_) {
    source_.faults().note_success();
  }
  source_.finish_call(fault, more, gave_);
  const auto taken = static_cast<std::uint32_t>(work_.committer.inputs_done() - first_);
  return more ? taken : std::max(taken, 1U);
}

}  // namespace pystream::worker
