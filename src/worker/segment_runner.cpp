#include "worker/segment_runner.hpp"

#include <utility>

#include "base/exception_text.hpp"
#include "base/mutation.hpp"

namespace pystream::worker {

SegmentRunner::SegmentRunner(SegmentParts parts, Monitor& monitor, DeadLetters& letters)
    : work_(std::move(parts), monitor, letters), items_(work_) {
  if (work_.from_source()) {
    source_.emplace(work_);
  } else if (ItemAdapter* const only = work_.chain.only_taker();
             only != nullptr && only->async() != nullptr && work_.place.alone() && work_.inputs.may_run_ahead()) {
    async_.emplace(work_, *only->async());
  }
  fresh_ = !work_.committer.restore();
  if (!async_ && BatchExecutor::fits(work_)) {
    batches_.emplace(work_, items_, source_ ? &*source_ : nullptr);
  } else if (!async_ && BytesExecutor::fits(work_)) {
    bytes_.emplace(work_, items_);
  } else if (SourceRuns::fits(work_)) {
    source_runs_.emplace(work_, *source_);
  }
}

template <class Call>
void SegmentRunner::for_each_stage(const Call& call) {
  std::uint32_t index = work_.chain.first();
  for (const auto& stage : work_.chain.stages()) {
    work_.monitor.set_stage(index++);
    call(*stage);
  }
}

/// Calls start() once there is something to do; false if there is not. A sink is committed at once, so that no
/// successor calls it again.
bool SegmentRunner::begin() {
  if (work_.inputs.any() && work_.inputs.try_peek() == nullptr && !work_.inputs.moved()) {
    return false;
  }
  for_each_stage([](StageAdapter& stage) {
    try {
      stage.start();
    } catch (...) {
      throw StartFailed(base::exception_text());
    }
  });
  fresh_ = false;
  if (work_.output.terminal()) {
    work_.committer.commit();
    work_.meter.apply(work_.monitor.now());
  }
  return true;
}

/// One input: true if there was one.
bool SegmentRunner::take_next() {
  return source_ ? source_->take_next() : items_.take_next();
}

/// At least one input, if there is any, and not many more than `most`; how many.
std::uint32_t SegmentRunner::take_some(std::uint32_t most) {
  if (batches_) {
    if (const std::uint32_t taken = batches_->take(); taken > 0) {
      return taken;
    }
  } else if (source_runs_ && !work_.sizer.slow()) {
    if (const std::optional<std::uint32_t> taken = source_runs_->take(most)) {
      return *taken;
    }
  } else if (!source_ && !work_.sizer.slow()) {
    std::uint32_t taken = bytes_ ? bytes_->take(most) : 0;
    taken = taken > 0 ? taken : items_.take_untimed(most);
    if (taken > 0) {
      return taken;
    }
  }
  return take_next() ? 1 : 0;
}

/// A failure for good takes nothing back that was done before it. The failure is what is reported, whatever becomes of
/// the commit.
template <class Work>
bool SegmentRunner::commit_before_failing(const Work& work) {
  try {
    return work();
  } catch (const StageFailed&) {
    try {
      work_.meter.share(work_.monitor.now());
      work_.committer.commit();
      work_.meter.apply(work_.monitor.now());
    } catch (...) {
    }
    throw;
  }
}

void SegmentRunner::commit_and_release() {
  if (base::mutated(base::Mutation::release_before_commit) && work_.inputs.any()) {
    work_.inputs.release();
  }
  work_.committer.commit();
  if (work_.inputs.any()) {
    work_.inputs.release();
  }
}

/// Of several links, what is no input, and was stepped over, is not kept until the next input.
void SegmentRunner::commit_moves() {
  if (work_.inputs.moved()) {
    commit_and_release();
    work_.meter.apply(work_.monitor.now());
  }
}

bool SegmentRunner::run_batch() {
  work_.monitor.check_stop();
  if (fresh_ && !begin()) {
    return false;
  }
  return commit_before_failing([this] { return async_ ? async_->run() : take_batch(); });
}

/// Results of slow stages leave at once; fast ones share a commit.
bool SegmentRunner::take_batch() {
  work_.meter.begin(work_.sizer.slow());
  std::uint32_t taken = 0;
  while (taken < work_.sizer.batch() && !ended() && work_.meter.has_room()) {
    if (taken > 0) {
      work_.sizer.note_several();
    }
    const std::uint32_t some = take_some(work_.sizer.batch() - taken);
    if (some == 0) {
      break;
    }
    taken += some;
    if ((batches_ && batches_->late()) || (source_ && source_->pauses())) {
      break;
    }
  }
  if (taken == 0) {
    work_.meter.cancel();
    commit_moves();
    return work_.from_source();  // a source that was interrupted is asked again
  }
  work_.meter.close();
  commit_and_release();
  const std::int64_t took = work_.meter.finish();
  work_.sizer.note_flush(work_.meter.take_flush());  // before note(), which must not take its sleep for a stage's
  work_.sizer.note(taken, took);
  return true;
}

bool SegmentRunner::run_one(bool& closed) {
  work_.monitor.check_stop();
  work_.monitor.set_segment(work_.index);
  if (fresh_ && !begin()) {
    return false;
  }
  const std::uint64_t before = cycles();
  work_.meter.begin_now();
  if (!commit_before_failing([this] { return take_next(); })) {
    commit_moves();
    return false;
  }
  closed = cycles() != before || ended();
  commit_and_release();
  work_.meter.finish();
  return true;
}

void SegmentRunner::set_behind(std::vector<SegmentRunner*> behind) {
  if (!behind.empty()) {
    work_.room.set_behind([this, behind = std::move(behind)] { return run_behind(behind); });
  }
}

/// True if a segment behind this one took something.
bool SegmentRunner::run_behind(const std::vector<SegmentRunner*>& behind) {
  const shm::WorkerPage& page = *work_.monitor.end().page;
  const std::uint64_t number = page.number.load(std::memory_order_relaxed);
  const std::uint64_t sequence = page.sequence.load(std::memory_order_relaxed);
  const std::uint32_t stage = page.stage.load(std::memory_order_relaxed);
  bool any = false;
  for (SegmentRunner* segment : behind) {
    bool closed = false;
    // What fails there beside an item, as a commit may, is not for the policy of the stage in front.
    if (const auto reason = work_.faults.failure_of([&] { any |= !segment->ended() && segment->run_one(closed); })) {
      throw StageFailed(shm::kInvalidPosition, *reason);
    }
  }
  work_.monitor.set_segment(work_.index);
  work_.monitor.set_stage(stage);
  work_.monitor.begin_item(number, sequence);
  return any;
}

void SegmentRunner::wait_for_input() {
  work_.monitor.check_stop();
  if (work_.from_source()) {
    return;  // a source waits by itself
  }
  work_.monitor.end_items();
  work_.monitor.set_phase(shm::Phase::waiting);
  const std::int64_t began = work_.monitor.now();
  work_.inputs.wait();
  work_.sizer.note_own_sleep();
  // Before the first input, the stages in front of this one start.
  work_.meter.note_waited(began, work_.monitor.now(), work_.committer.inputs_done() > 0);
  work_.monitor.set_phase(shm::Phase::working);
  work_.monitor.check_stop();
}

void SegmentRunner::cleanup() {
  for_each_stage([](StageAdapter& stage) { stage.cleanup(); });
}

}  // namespace pystream::worker
