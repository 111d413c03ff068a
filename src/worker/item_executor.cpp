#include "worker/item_executor.hpp"

namespace pystream::worker {

inline void ItemExecutor::tag(const shm::Record& record) {
  work_.flow.tag = {.sequence = record.sequence,
                    .part = record.part,
                    .attempt = work_.faults.attempt_at(record.number),
                    .entered_ns = record.entered_ns};
  work_.flow.input = &record;
  work_.monitor.begin_item(record.number, record.sequence);
  work_.output.begin_input();
}

inline void ItemExecutor::finish(const shm::Record& record) {
  work_.output.end_input(record.closes);
  work_.committer.finish_input(record.number, record.closes);
}

/// The output ends first: if a mark has to wait for room, nothing of this item is counted yet.
inline void ItemExecutor::finish_item(const shm::Record& record) {
  work_.output.end_input(record.closes);
  work_.meter.stop_item(work_.flow.tag, record.number, work_.output.came_out());
  work_.committer.finish_input(record.number, record.closes);
}

inline void ItemExecutor::process(const shm::Record& record) {
  work_.chain.process(Item(work_.flow.tag, record.payload));
}

ItemExecutor::ItemExecutor(SegmentWork& work)
    : work_(work),
      only_(work.place.alone() && !work.committer.has_checkpoints() && !work.inputs.one_at_a_time()
                ? work.chain.only_taker()
                : nullptr) {}

bool ItemExecutor::may_take_untimed(const shm::Record* record) {
  if (record == nullptr || !record->is_item() || work_.faults.is_poison(record->number)) {
    return false;
  }
  if (record->sequence - untimed_from_ >= untimed_) {
    untimed_from_ = record->sequence;
    untimed_ = work_.recorder.unwanted_ahead(record->sequence, shm::kRunBits);
  }
  return untimed_ > 0;
}

std::uint32_t ItemExecutor::take_untimed(std::uint32_t limit) {
  if (only_ == nullptr) {
    return 0;
  }
  std::uint32_t taken = 0;
  const auto take_all = [&] {
    const shm::Record* record = work_.inputs.try_peek();
    for (; taken < limit && may_take_untimed(record); record = work_.inputs.try_peek()) {
      tag(*record);
      only_->process(Item(work_.flow.tag, record->payload), work_.output);
      work_.output.end_input(record->closes);
      work_.meter.count_batch(1, work_.output.came_out(), record->entered_ns);
      work_.committer.finish_inputs(1, record->number + 1);
      work_.inputs.advance();
      ++taken;
    }
  };
  untimed_ = 0;  // what is timed may have changed since the last call
  work_.chain.clock().start(false);
  work_.chain.clock().begin();
  if (const auto reason = work_.faults.failure_of(take_all)) {
    take_up_failed(*reason);
    ++taken;
  }
  return taken;
}

bool ItemExecutor::take_next() {
  const shm::Record* record = work_.inputs.try_peek();
  if (record == nullptr) {
    return false;
  }
  take(*record);
  work_.inputs.advance();
  return true;
}

void ItemExecutor::take(const shm::Record& record) {
  switch (record.kind) {
    case shm::RecordKind::end:
      work_.committer.finish_end(record.number);
      return;
    case shm::RecordKind::tombstone:
      work_.flow.tag = {
          .sequence = record.sequence, .part = record.part, .attempt = 1, .entered_ns = record.entered_ns};
      work_.output.begin_input();
      finish(record);
      return;
    default:
      take_item(record);
  }
}

void ItemExecutor::take_item(const shm::Record& record) {
  tag(record);
  if (work_.faults.is_poison(record.number)) {
    work_.faults.give_up_poison(record);
    finish(record);
    return;
  }
  work_.meter.start_item(record.sequence);
  const auto stages = [&] { process(record); };
  if (const auto reason = work_.faults.failure_of(stages)) {
    work_.faults.retry_or_give_up(record, *reason, stages);
  }
  finish_item(record);
}

void ItemExecutor::take_failed(const std::string& reason) {
  tag(*work_.inputs.try_peek());
  take_up_failed(reason);
}

void ItemExecutor::take_up_failed(const std::string& reason) {
  const shm::Record& record = *work_.inputs.try_peek();
  work_.chain.note_given();
  work_.faults.retry_or_give_up(record, reason, [&] { process(record); });
  finish_item(record);
  work_.inputs.advance();
}

void ItemExecutor::finish_next() {
  const shm::Record& record = *work_.inputs.try_peek();
  work_.chain.note_given();
  finish_item(record);
  work_.inputs.advance();
}

}  // namespace pystream::worker
