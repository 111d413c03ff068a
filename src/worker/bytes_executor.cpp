#include "worker/bytes_executor.hpp"

#include <algorithm>
#include <bit>

#include "base/kill_point.hpp"
#include "worker/run_bits.hpp"

namespace pystream::worker {
namespace {

constexpr std::uint32_t kFewest = 2;  ///< inputs for which this pays

}  // namespace

bool BytesExecutor::fits(const SegmentWork& work) {
  ItemAdapter* const only = work.chain.only_taker();
  return only != nullptr && only->async() == nullptr && work.place.alone() && work.inputs.any() &&
         !work.inputs.one_at_a_time() && !work.committer.has_checkpoints() &&
         (work.output.terminal() ||
          (!work.output.answers() && !work.ring.shared() && work.ring.overflow() == shm::Overflow::block));
}

BytesExecutor::BytesExecutor(SegmentWork& work, ItemExecutor& items)
    : work_(work), items_(items), stage_(*work.chain.only_taker()), terminal_(work.output.terminal()), output_(*this) {}

bool BytesExecutor::collect(std::uint32_t most) {
  const shm::Record* next = work_.inputs.try_peek();
  if (next == nullptr || next->kind != shm::RecordKind::item || work_.output.resumes()) {
    return false;
  }
  first_number_ = next->number;
  size_in_ = next->payload.size();
  if (const std::uint64_t died_on = work_.faults.death().number; died_on >= first_number_) {
    most = static_cast<std::uint32_t>(std::min<std::uint64_t>(most, died_on - first_number_));
  }
  found_ = work_.inputs.try_items(
      size_in_, std::min(most, shm::kMostInRun),
      [&](std::uint64_t sequence, std::uint32_t ahead) { return work_.recorder.unwanted_ahead(sequence, ahead); });
  items_ahead_ = found_.closes == 0 && found_.closes_each == 0 ? found_.items : 0;
  has_gaps_ = found_.sequences != shm::low_bits(found_.items);
  return items_ahead_ >= kFewest;
}

bool BytesExecutor::reserve() {
  base::kill_point(base::KillPoint::before_run);
  if (terminal_) {
    return true;
  }
  size_out_ = work_.output.last_size();
  if (size_out_ == 0 || size_out_ % shm::kRecordAlign != 0 || size_out_ > work_.ring.run_limit()) {
    return false;
  }
  items_ahead_ = std::min(items_ahead_, work_.ring.try_reserve_run(size_out_, items_ahead_));
  output_.begin_run(work_.ring.run_start(), size_out_);
  return items_ahead_ > 0;
}

inline void BytesExecutor::call(std::uint32_t index) {
  const std::uint64_t number = first_number_ + index;
  Item::Tag& tag = work_.flow.tag;
  tag.sequence = found_.sequence + (has_gaps_ ? static_cast<std::uint64_t>(std::countr_zero(sequences_)) : index);
  tag.attempt = work_.faults.attempt_at(number);
  work_.monitor.begin_item(number, tag.sequence);
  output_.begin_input();
  const Item item(tag, {found_.payload + index * found_.step, size_in_});
  stage_.process(item, terminal_ ? static_cast<Output&>(work_.output) : output_);
}

/// The input `index` is done. False: the run ends with it.
inline bool BytesExecutor::note_given(std::uint32_t index) {
  ++done_;
  sequences_ &= sequences_ - 1;
  if (terminal_ || output_.emitted()) {
    given_bits_ |= index < shm::kRunBits ? std::uint64_t{1} << index : 0;
    ++given_;
    return true;
  }
  items_ahead_ = std::min(items_ahead_, shm::kRunBits);  // from here on there is a gap
  return index < shm::kRunBits;
}

void BytesExecutor::call_each() {
  for (std::uint32_t index = 0; index < items_ahead_; ++index) {
    call(index);
    if (output_.left() || !note_given(index)) {
      return;
    }
  }
}

/// Makes a record of what the inputs so far gave, and counts them.
void BytesExecutor::close() {
  base::kill_point(base::KillPoint::in_run);
  if (!terminal_ && given_ > 0) {
    // More than kRunBits inputs have no gaps between them, and gave one item each.
    work_.ring.finish_run(
        size_out_,
        {.items = given_,
         .sequences = given_ > shm::kRunBits ? shm::low_bits(given_) : chosen(found_.sequences, given_bits_)},
        {.sequence = found_.sequence, .part = 0, .entered_ns = found_.entered_ns});
  }
  if (done_ > 0) {
    work_.inputs.advance_items(done_);
    work_.committer.finish_inputs(done_, work_.inputs.next_number());
    work_.meter.count_batch(done_, given_, found_.entered_ns);
  }
  done_ = 0;
  given_ = 0;
}

/// The input in work is behind those in the run, and first in its link.
Output& BytesExecutor::leave_run(std::span<const std::byte> emitted) {
  scratch_.assign(emitted.begin(), emitted.end());  // the next record goes where they lie
  close();
  work_.flow.input = work_.inputs.try_peek();
  work_.output.begin_input();
  if (!scratch_.empty()) {
    work_.output.emit_bytes(scratch_);
  }
  return work_.output;
}

std::uint32_t BytesExecutor::take(std::uint32_t most) {
  if (tries_.passes() || !collect(most) || !reserve()) {
    return 0;
  }
  const std::uint64_t before = work_.committer.inputs_done();
  done_ = 0;
  given_ = 0;
  given_bits_ = 0;
  sequences_ = found_.sequences;
  work_.sizer.note_several();
  work_.chain.clock().start(false);
  work_.chain.clock().begin();
  work_.flow.tag.part = found_.part;
  work_.flow.tag.entered_ns = found_.entered_ns;
  work_.flow.input = nullptr;
  const auto reason = work_.faults.failure_of([this] { call_each(); });
  if (output_.left()) {
    reason ? items_.take_up_failed(*reason) : items_.finish_next();
  } else {
    close();
    if (reason) {
      items_.take_failed(*reason);
    }
  }
  const auto inputs = static_cast<std::uint32_t>(work_.committer.inputs_done() - before);
  tries_.note(inputs, output_.left());
  return inputs;
}

}  // namespace pystream::worker
