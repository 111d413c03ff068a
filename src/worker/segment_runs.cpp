#include <algorithm>

#include "worker/segment_runner.hpp"

/// Many items in one call of a stage of plain types; see RunLane.
namespace pystream::worker {

/// One stage of plain items whose outputs need no look of their own.
bool SegmentRunner::does_runs() const {
  if (chain_.hosted().size() != 1 || answer_ || async_ || saved_.any() || ring_.overflow() != shm::Overflow::block ||
      (reader_ && reader_->one_at_a_time())) {
    return false;
  }
  const detail::RunSizes sizes = chain_.hosted()[0]->run_sizes();
  return sizes.any() && (terminal_ || sizes.out <= ring_.run_limit());
}

/// A policy that looks at single items: a deadline for each, or one that decides at the first death.
bool SegmentRunner::policy_names_each() const {
  const plan::FaultPolicy& policy = parts_.faults.at(0);
  return policy.timeout || policy.on_crash != plan::OnCrash::replay || policy.max_attempts <= 1;
}

/// How many of the next inputs may go in one run.
std::uint32_t SegmentRunner::run_limit() const {
  std::uint64_t most = pace_.slow() || already_out_ != 0 ? 0 : pace_.run();
  if (death_.number >= inputs_done_) {
    most = std::min(most, death_.number - inputs_done_);
  }
  if (!reader_) {
    const std::uint64_t items_limit = monitor_.control().items_limit.load(std::memory_order_relaxed);
    if (draining() || monitor_.command() != shm::Command::run) {
      return 0;
    }
    most = items_limit == 0 ? most : std::min(most, items_limit - std::min(items_limit, inputs_done_));
  }
  return static_cast<std::uint32_t>(most);
}

void SegmentRunner::count_run(std::uint32_t items, std::uint32_t given) {
  if (reader_) {
    reader_->advance_items(items);
  }
  inputs_done_ += items;
  cycles_ += items;
  chain_.count_items(items);
  const std::uint64_t came_out = terminal_ ? items : given;
  count_exits(came_out);
  ages_.add(items, runs_->entered_ns());
  exit_ages_.add(parts_.exits ? came_out : 0, runs_->entered_ns());
}

/// The stage threw in the midst of a run.
void SegmentRunner::fail_run(const std::string& reason) {
  count_run(runs_->done(), runs_->keep());
  if (!reader_) {
    flow_.next_sequence = inputs_done_;
    if (!goes_on_behind_fault(runs_->done() > 0)) {
      throw StageFailed(inputs_done_, reason);
    }
    leave_out(reason);
    inputs_done_ = flow_.next_sequence;
    ++cycles_;
    return;
  }
  const shm::Record& record = *reader_->try_peek();
  tag_item(record);
  monitor_.begin_item(record.number, record.sequence);
  chain_.note_given();
  output_.begin_input(0);
  retry_or_give_up(record, reason, [&] { process(record); });
  const std::uint64_t came_out = terminal_ ? 1 : output_.emitted();
  count_exits(came_out);
  stop_clock(record.number, came_out);
  finish_input(record.number, record.closes);
  reader_->advance();
}

/// Waits until the run that was collected has room; how much of it.
std::uint32_t SegmentRunner::reserve_run() {
  std::uint32_t items = runs_->reserve();
  while (items == 0) {
    // What is committed meanwhile is whole inputs, and nobody's item is in work.
    cursors_.keep();
    output_.begin_input(0);
    monitor_.end_items();
    make_room();
    if (!reader_) {
      runs_->set_entered(monitor_.now());
    }
    items = runs_->reserve();
  }
  return items;
}

/// Many inputs in one call, where that is possible and none of them is timed. How many were taken; 0: take_next()
/// must look.
std::uint32_t SegmentRunner::take_run() {
  const auto ahead = [&](std::uint64_t sequence, std::uint32_t most) {
    return recorder_.unwanted_ahead(sequence, most);
  };
  const std::uint32_t limit = run_limit();
  if (!(reader_ ? runs_->collect(*reader_, limit, ahead) : runs_->collect(inputs_done_, began_, limit, ahead))) {
    return 0;
  }
  const std::uint32_t items = reserve_run();
  // Behind a death the guilty one has to show.
  const bool one_by_one = names_each_ || inputs_done_ < death_.seen_until;
  if (items > 1) {
    pace_.note_several();
  }
  chain_.clock().start(false);
  chain_.clock().begin();
  bool more = true;
  if (const auto reason = failure_of([&] { more = runs_->work(one_by_one); })) {
    const std::uint32_t done = runs_->done();
    fail_run(*reason);
    return done + 1;
  }
  const std::uint32_t done = runs_->done();
  count_run(done, runs_->keep());
  if (!more) {
    end();
  }
  return std::max(done, 1U);
}

}  // namespace pystream::worker
