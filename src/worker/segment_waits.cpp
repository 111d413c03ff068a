#include "base/kill_point.hpp"
#include "worker/segment_runner.hpp"

/// Where a segment sleeps: for input, for room in its output link, and for what it passed on to come back. What is done
/// by then is committed and given back before (invariant 3 of SegmentRunner).
namespace pystream::worker {
namespace {

/// Where workers are killed on purpose, a lost wake-up must show as a hang.
constexpr std::int64_t kSleepNs = base::kKillPoints ? 100'000'000'000 : 1'000'000'000;
/// So long a worker that waits for input keeps inputs for others without a look at releases, if nobody lacks room.
constexpr std::int64_t kKeepNs = base::kKillPoints ? kSleepNs : 1'000'000;
constexpr std::int64_t kLookBehindNs = 1'000'000;  ///< a full row looks so often for what came back from its child

}  // namespace

/// The output link is full in the midst of an input: publishes what there is, gives back what is done, waits.
void SegmentRunner::make_room() {
  check_stop();
  const shm::Watched full = ring_.room();  // what is given back below looks at the consumer once more
  const std::int64_t began = monitor_.now();
  if (!timed_batch_) {
    share_time(began);
  }
  if (ring_.has_uncommitted()) {
    prepare_counts();
    ring_.commit({.inputs_done = inputs_done_,
                  .parts_out = output_.emitted(),
                  .flags = 0,
                  .cycles = cycles_,
                  .cursor = cursors_.kept()});
    recorder_.apply(began);
    output_.note_commit();
    monitor_.count_commit();
  } else if (reader_ && inputs_done_ != ring_.journal().inputs_done.load(std::memory_order_relaxed)) {
    // Inputs without output: what is not committed must not be released.
    prepare_counts();
    ring_.commit_inputs_done(inputs_done_);
    recorder_.apply(began);
    monitor_.count_commit();
  }
  if (reader_ && reader_->has_unreleased() && !async_) {
    release_input();
  }
  if (run_behind()) {
    chain_.clock().exclude(monitor_.now() - began);
    return;
  }
  const bool consumer_has_begun = ring_.items_inside() < ring_.next_number();
  monitor_.set_phase(shm::Phase::blocked);
  ring_.wait(full, {.spin_ns = parts_.spin_ns, .timeout_ns = behind_.empty() ? kSleepNs : kLookBehindNs});
  pace_.note_own_sleep();
  monitor_.set_phase(shm::Phase::working);
  const std::int64_t waited = monitor_.now() - began;
  if (consumer_has_begun) {
    monitor_.add_blocked(waited);
  } else {
    start_up_ns_ += waited;
  }
  blocked_ns_ += waited;
  chain_.clock().exclude(waited);
}

/// In a row: the link is full of parts of one input, and room may come only once what has come back from the child is
/// taken out by the segments behind. True if some was.
bool SegmentRunner::run_behind() {
  if (behind_.empty()) {
    return false;
  }
  const shm::WorkerPage& page = *monitor_.end().page;
  const std::uint64_t number = page.number.load(std::memory_order_relaxed);
  const std::uint64_t sequence = page.sequence.load(std::memory_order_relaxed);
  const std::uint32_t hosted = page.hosted.load(std::memory_order_relaxed);
  bool any = false;
  for (SegmentRunner* segment : behind_) {
    bool closed = false;
    // What fails there beside an item, as a commit may, is not for the policy of the stage in front.
    if (const auto reason = failure_of([&] { any |= !segment->ended() && segment->run_one(closed); })) {
      throw StageFailed(shm::kInvalidPosition, *reason);
    }
  }
  monitor_.set_segment(parts_.index);
  monitor_.set_hosted(hosted);
  monitor_.begin_item(number, sequence);
  return any;
}

/// What this worker passed on is still being read. While a worker upstream lacks room, this one's own input is to be
/// given back as soon as that ends, or a row of workers that pass on would wait for one another for ever. Otherwise it
/// can wait for the next input, if that comes soon: to be woken for each release doubles the task switches of a hop.
void SegmentRunner::wait_while_referred() {
  release_input();
  const shm::Watched more = reader_->more();
  const shm::Watched lack_of_room = reader_->lack_of_room();
  if ((lack_of_room.seen & 1) == 0) {
    ring_.cease_to_ask();
    shm::wait_for_either(more, lack_of_room, {.spin_ns = parts_.spin_ns, .timeout_ns = kKeepNs});
    if (more.changed() || lack_of_room.changed()) {
      return;
    }
    release_input();
  }
  ring_.ask_for_room();
  shm::wait_for_either(more, ring_.room(), {.spin_ns = parts_.spin_ns, .timeout_ns = kSleepNs});
  release_input();
}

void SegmentRunner::wait_for_input() {
  check_stop();
  if (!reader_) {
    return;  // a source waits by itself
  }
  monitor_.end_items();
  monitor_.set_phase(shm::Phase::waiting);
  const std::int64_t began = monitor_.now();
  if (ring_.refers()) {
    wait_while_referred();
  } else {
    ring_.cease_to_ask();
    reader_->wait(parts_.spin_ns, kSleepNs);
  }
  pace_.note_own_sleep();
  began_ = monitor_.now();
  if (inputs_done_ > 0) {  // before the first one, the stages in front of this one start
    monitor_.add_waiting(began_ - began);
  }
  monitor_.set_phase(shm::Phase::working);
  check_stop();
}

}  // namespace pystream::worker
