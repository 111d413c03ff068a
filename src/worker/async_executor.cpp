#include "worker/async_executor.hpp"

#include <chrono>
#include <utility>

namespace pystream::worker {
namespace {

constexpr std::uint32_t kLargestAnswerBatch = 256;  ///< answers that share a commit

}  // namespace

AsyncExecutor::AsyncExecutor(SegmentWork& work, AsyncStage& stage)
    : work_(work), lane_(stage), isolate_until_(work.monitor.control().isolate_until.load(std::memory_order_relaxed)) {
  work_.room.leave_inputs();
  if (!work_.inputs.several()) {  // links that are collected from have no time bound
    work_.inputs.link().want_at_once(stage.capacity());
  }
  work_.inputs.set_done(work_.inputs.place());
}

bool AsyncExecutor::one_at_a_time() const {
  return work_.inputs.one_at_a_time() || work_.inputs.next_number() < isolate_until_;
}

/// True if the stage may get no further input before it has answered: where the link in front is full of
/// items that are not answered, or their number is limited, no more can come.
bool AsyncExecutor::must_answer() {
  return lane_.full() || one_at_a_time() || work_.inputs.try_peek() == nullptr;
}

/// True if there was an input.
bool AsyncExecutor::feed() {
  bool any = false;
  while (!lane_.full() && !lane_.input_ended() && (lane_.empty() || !one_at_a_time())) {
    const shm::Record* record = work_.inputs.try_peek();
    if (record == nullptr) {
      break;
    }
    any = true;
    const shm::Record copy = *record;
    work_.inputs.advance();
    if (lane_.empty()) {
      work_.monitor.begin_item(copy.number, copy.sequence);
    }
    work_.monitor.set_in_flight(lane_.size() + 1);
    lane_.submit(copy, work_.faults.attempt_at(copy.number), work_.inputs.place(), work_.faults.is_poison(copy.number),
                 [this](const auto& stages) { return work_.faults.failure_of(stages); });
  }
  return any;
}

/// The answer to the oldest input, or what it threw; false if there is none yet.
bool AsyncExecutor::collect(bool may_wait) {
  const auto patience = may_wait ? lane_.patience() : std::chrono::nanoseconds(0);
  bool given = true;
  if (auto reason = work_.faults.failure_of([&] { given = lane_.collect(work_.output, patience); })) {
    work_.output.withdraw();
    lane_.note_failure(std::move(*reason));
  } else if (!given) {
    work_.monitor.check_stop();
  }
  return given;
}

/// False if the oldest input is not answered yet.
bool AsyncExecutor::finish_oldest(bool may_wait) {
  const AsyncLane::Entry& oldest = lane_.oldest();
  const shm::Record& record = oldest.record;
  work_.flow.tag = oldest.tag;
  work_.monitor.begin_item(record.number, record.sequence, lane_.size());
  if (record.kind == shm::RecordKind::end) {
    work_.committer.finish_end(record.number);
    return true;
  }
  work_.output.begin_input();
  if (oldest.has_answer() && !collect(may_wait)) {
    return false;
  }
  if (oldest.poison) {
    work_.faults.give_up_poison(record);
  } else if (oldest.failure) {
    work_.faults.give_up(record, *oldest.failure, 1);
  }
  work_.output.end_input(record.closes);
  if (record.kind != shm::RecordKind::tombstone) {
    work_.meter.count_answer(oldest.tag, record.number, oldest.submitted_ns, work_.output.came_out());
  }
  work_.committer.finish_input(record.number, record.closes);
  return true;
}

bool AsyncExecutor::run() {
  const bool fed = feed();
  if (lane_.empty()) {
    work_.inputs.set_done(work_.inputs.place());  // what was stepped over is for others
    return fed;
  }
  if (must_answer()) {
    lane_.flush();
  }
  work_.meter.begin_now();
  std::uint32_t answered = 0;
  while (!lane_.empty() && answered < kLargestAnswerBatch && work_.meter.has_room() && finish_oldest(answered == 0)) {
    work_.inputs.set_done(lane_.pop());
    ++answered;
  }
  if (answered > 0) {
    work_.committer.commit();
    work_.inputs.release();
    work_.meter.finish();
  }
  return true;
}

}  // namespace pystream::worker
