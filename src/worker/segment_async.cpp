#include "worker/async_lane.hpp"
#include "worker/segment_runner.hpp"

/// A segment of one AsyncStage: it is given inputs while answers to earlier ones are outstanding.
namespace pystream::worker {

/// Answers overlap: each is timed from its question on.
template <class Entry>
void SegmentRunner::count_answer(const Entry& entry) {
  if (entry.record.kind == shm::RecordKind::tombstone) {
    return;
  }
  const std::int64_t now = monitor_.now();
  const std::int64_t took = now - entry.submitted_ns;
  const std::uint64_t came_out = terminal_ ? 1 : output_.emitted();
  recorder_.add_items(parts_.first_hosted, 1);
  recorder_.sample(parts_.first_hosted, entry.record.sequence, entry.record.number, entry.submitted_ns, took, 1);
  recorder_.add_time(parts_.first_hosted, took);
  recorder_.add_age(parts_.first_hosted, now - entry.record.entered_ns);
  if (parts_.exits && came_out > 0) {
    exits_ += came_out;
    recorder_.add_time(exit_index(), (now - entry.record.entered_ns) * static_cast<std::int64_t>(came_out));
    recorder_.sample(exit_index(), entry.record.sequence, entry.record.number, entry.record.entered_ns,
                     now - entry.record.entered_ns, 1);
  }
}

/// Inputs that were in flight at the last deaths go one by one, so that the one that kills is known.
bool SegmentRunner::alone_in_lane() const {
  return reader_->one_at_a_time() || reader_->next_number() < isolate_until_;
}

/// True if the stage gets no further input before it has answered, or perhaps not: where the link in front is full of
/// items that are not answered, or their number is limited, no more can come.
bool SegmentRunner::lane_must_answer() {
  return async_->full() || alone_in_lane() || reader_->try_peek() == nullptr;
}

/// Feeds an AsyncStage while earlier answers are outstanding.
bool SegmentRunner::run_async() {
  AsyncLane& lane = *async_;
  bool progress = false;
  while (!lane.full() && !lane.input_ended() && (lane.empty() || !alone_in_lane())) {
    const shm::Record* record = reader_->try_peek();
    if (record == nullptr) {
      break;
    }
    progress = true;
    const shm::Record copy = *record;
    reader_->advance();
    if (lane.empty()) {
      monitor_.begin_item(copy.number, copy.sequence);
    }
    monitor_.set_in_flight(lane.size() + 1);
    lane.submit(copy, attempt_at(copy.number), reader_->mark(), is_poison(copy.number),
                [this](const auto& stages) { return failure_of(stages); });
  }
  if (lane.empty()) {
    return progress;
  }
  if (lane_must_answer()) {
    lane.flush();
  }
  const std::int64_t began = monitor_.now();
  std::uint32_t answered = 0;
  shm::RingReader::Mark done = reader_->mark();
  while (!lane.empty() && answered < kLargestAnswerBatch && recorder_.has_room()) {
    const AsyncLane::Entry& oldest = lane.oldest();
    flow_.tag = oldest.tag;
    monitor_.begin_item(oldest.record.number, oldest.record.sequence, lane.size());
    if (oldest.record.kind == shm::RecordKind::end) {
      end();
      inputs_done_ = oldest.record.number + 1;
    } else {
      output_.begin_input(already_out_);
      const auto patience = answered > 0 ? std::chrono::nanoseconds(0) : lane.patience();
      if (oldest.has_answer()) {
        bool given = true;
        if (auto reason = failure_of([&] { given = lane.collect(output_, patience); })) {
          output_.withdraw();
          lane.note_failure(std::move(*reason));
        } else if (!given) {
          check_stop();
          break;
        }
      }
      if (oldest.poison) {
        set_aside(oldest.record);
      } else if (oldest.failure) {
        give_up(oldest.record, *oldest.failure, 1);
      }
      already_out_ = 0;
      count_answer(oldest);
      finish_input(oldest.record.number, oldest.record.closes);
    }
    done = oldest.after;
    lane.pop();
    ++answered;
  }
  if (answered > 0) {
    commit();
    reader_->release(done);
    finish_slow(began);
  }
  return true;
}

}  // namespace pystream::worker
