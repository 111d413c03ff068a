#include "worker/batch_executor.hpp"

#include <algorithm>

#include "base/mutation.hpp"

namespace pystream::worker {
namespace {

/// A deadline for each item, or a policy that decides at the first death.
bool looks_at_single_items(const plan::FaultPolicy& policy) {
  return policy.timeout || policy.on_crash != plan::OnCrash::replay || policy.max_attempts <= 1;
}

}  // namespace

bool BatchExecutor::fits(SegmentWork& work) {
  const auto& stages = work.chain.stages();
  if (stages.size() != 1 || work.committer.has_checkpoints() || work.ring.overflow() != shm::Overflow::block ||
      work.inputs.one_at_a_time()) {
    return false;
  }
  const detail::RunSizes sizes = stages.front()->run_sizes();
  const bool answers_each = work.place.alone() && !sizes.filters;
  return sizes.any() && (!work.output.answers() || answers_each) &&
         (work.output.terminal() || sizes.out <= work.ring.run_limit());
}

BatchExecutor::BatchExecutor(SegmentWork& work, ItemExecutor& items, SourceExecutor* source)
    : work_(work),
      items_(items),
      source_(source),
      call_(*work.chain.stages().front(), work.ring, work.monitor),
      units_(work.ring.takers()),
      names_each_(looks_at_single_items(work.faults.policy_of(0))) {}

/// How many of the next inputs may go into one call.
std::uint32_t BatchExecutor::limit() {
  std::uint64_t most = work_.sizer.slow() || work_.output.resumes() ? 0 : work_.sizer.run();
  if (work_.ring.deals()) {
    units_.note(work_.meter.began(), work_.ring.done_number());
    most = std::min<std::uint64_t>(most, units_.items());
  }
  std::uint64_t next = work_.committer.inputs_done();
  if (source_ == nullptr && work_.inputs.try_peek() != nullptr) {
    next = work_.inputs.next_number();
  }
  if (const std::uint64_t died_on = work_.faults.death().number; died_on >= next) {
    most = std::min(most, died_on - next);
  }
  if (source_ != nullptr) {
    most = source_->is_over() ? 0 : std::min(most, source_->left());
  }
  return static_cast<std::uint32_t>(most);
}

bool BatchExecutor::collect() {
  const auto ahead = [&](std::uint64_t sequence, std::uint32_t most) {
    return work_.recorder.unwanted_ahead(sequence, most);
  };
  return source_ != nullptr ? call_.collect(work_.committer.inputs_done(), work_.meter.began(), limit(), ahead)
                            : call_.collect(work_.inputs, limit(), ahead);
}

/// Waits until what was collected has room; how much of it.
std::uint32_t BatchExecutor::reserve() {
  std::uint32_t items = call_.reserve();
  while (items == 0) {
    // Meanwhile whole inputs are committed, and no item is in work.
    if (!base::mutated(base::Mutation::stale_cursor_in_run)) {
      work_.committer.keep_cursors();
    }
    work_.output.begin_between_inputs();
    work_.monitor.end_items();
    work_.room.make_room();
    if (source_ != nullptr) {
      call_.set_entered(work_.monitor.now());
    }
    items = call_.reserve();
  }
  return items;
}

void BatchExecutor::count(std::uint32_t items, std::uint32_t given) {
  std::uint64_t next = work_.committer.inputs_done();
  if (source_ != nullptr) {
    next += items;
  } else if (items > 0) {
    work_.inputs.advance_items(items);
    next = work_.inputs.next_number();
  }
  work_.committer.finish_inputs(items, next);
  work_.meter.count_batch(items, work_.output.terminal() ? items : given, call_.entered_ns());
}

/// The stage threw in the middle of a batch.
void BatchExecutor::fail(const std::string& reason) {
  count(call_.done(), call_.keep());
  if (source_ == nullptr) {
    items_.take_failed(reason);
    return;
  }
  work_.flow.next_sequence = work_.committer.inputs_done();
  if (!source_->faults().goes_on(call_.done() > 0)) {
    throw StageFailed(work_.committer.inputs_done(), reason);
  }
  source_->faults().leave_out(reason);
  work_.committer.finish_inputs(1, work_.committer.inputs_done() + 1);
}

std::uint32_t BatchExecutor::take() {
  if (!collect()) {
    return 0;
  }
  const std::uint32_t items = reserve();
  // Items that were in work at a death are named one by one, to isolate the culprit.
  const bool isolates = work_.committer.inputs_done() < work_.faults.death().seen_until;
  const bool one_by_one = names_each_ || (isolates && !base::mutated(base::Mutation::no_isolation_after_death));
  if (items > 1) {
    work_.sizer.note_several();
  }
  work_.chain.clock().start(false);
  work_.chain.clock().begin();
  bool more = true;
  if (const auto reason = work_.faults.failure_of([&] { more = call_.work(one_by_one); })) {
    const std::uint32_t done = call_.done();
    fail(*reason);
    return done + 1;
  }
  const std::uint32_t done = call_.done();
  count(done, call_.keep());
  if (source_ != nullptr && done > 0) {
    source_->faults().note_success();
  }
  if (!more) {
    work_.committer.end();
  }
  return std::max(done, 1U);
}

}  // namespace pystream::worker
