#include "worker/segment_runner.hpp"

#include <algorithm>
#include <utility>

#include "base/kill_point.hpp"
#include "worker/async_lane.hpp"

namespace pystream::worker {
SegmentRunner::SegmentRunner(SegmentParts parts, Monitor& monitor, DeadLetters& dead_letters)
    : parts_(std::move(parts)),
      monitor_(monitor),
      dead_letters_(dead_letters),
      recorder_(parts_.profile, monitor.end().stats, parts_.first_hosted,
                static_cast<std::uint32_t>(parts_.hosted.size()) + (parts_.exits ? 1 : 0), monitor.rows()),
      ring_(std::move(parts_.output)),
      output_(ring_, *this, flow_),
      chain_(std::move(parts_.hosted), parts_.has_source, output_, flow_, monitor, recorder_, parts_.first_hosted),
      cursors_(chain_.hosted()),
      saved_(parts_.checkpoints, parts_.checkpoint_bytes, chain_.hosted()),
      terminal_(ring_.link().ring_bytes == 0),
      answer_(ring_.link().answers != 0 || !parts_.place.alone()),
      pace_(parts_.expected_item_ns, saved_.any() || (parts_.input && parts_.input->inbox != nullptr)) {
  const shm::JournalEntry& journal = ring_.journal();
  inputs_done_ = journal.inputs_done.load(std::memory_order_relaxed);
  recorder_.recover(inputs_done_);
  cycles_ = journal.cycles;
  already_out_ = journal.parts_of == inputs_done_ ? journal.parts_out : 0;
  ended_ = (journal.flags & shm::kJournalEnded) != 0;
  flow_.next_sequence = inputs_done_;
  death_ = read_past_death(monitor_.control(), parts_.index);
  death_.give_up = death_.give_up && death_.hosted - parts_.first_hosted < chain_.hosted().size();
  if (parts_.input) {
    reader_.emplace(std::move(*parts_.input), inputs_done_, ring_.oldest_referred());
  }
  if (chain_.hosted().size() == 1 && parts_.place.alone() && chain_.hosted()[0]->async() != nullptr) {
    async_ = std::make_unique<AsyncLane>(*chain_.hosted()[0]);
    isolate_until_ = monitor_.control().isolate_until.load(std::memory_order_relaxed);
  }
  restore();
  chain_.set_guard(*this);
  if (may_refer()) {
    output_.set_refers();
    reader_->remember_large();
  }
  if (does_runs()) {
    runs_.emplace(*chain_.hosted()[0], ring_, monitor_);
    names_each_ = policy_names_each();
  }
}

SegmentRunner::~SegmentRunner() = default;

/// A drop policy is about what is in the link, so there nothing stays for others. A row waits for its child in other
/// places than its input, where nobody would pass releases on.
bool SegmentRunner::may_refer() const {
  return reader_ && !terminal_ && parts_.place.alone() && ring_.overflow() == shm::Overflow::block &&
         static_cast<shm::Overflow>(reader_->link().overflow) == shm::Overflow::block;
}

/// Of what is committed, all that no output record refers to.
void SegmentRunner::release_input() {
  reader_->release(reader_->mark(), ring_.oldest_referred());
}

void SegmentRunner::restore() {
  base::kill_point(base::KillPoint::attaching);
  fresh_ = ring_.journal().write_position == 0 && inputs_done_ == 0 && !ended_;
  if (fresh_) {
    return;
  }
  cursors_.restore(ring_.journal().cursor);
  if (saved_.any() && inputs_done_ > 0) {
    saved_.restore(inputs_done_);
  }
  for (const auto& hosted : chain_.hosted()) {
    hosted->resume();
  }
}

/// Calls start() once there is something to do; false if there is not. A sink is committed at once, so that no
/// successor calls it again.
bool SegmentRunner::begin() {
  if (reader_ && reader_->try_peek() == nullptr) {
    return false;
  }
  for (const auto& hosted : chain_.hosted()) {
    monitor_.set_hosted(parts_.first_hosted + static_cast<std::uint32_t>(&hosted - chain_.hosted().data()));
    try {
      hosted->start();
    } catch (const std::exception& error) {
      throw StartFailed(error.what());
    }
  }
  fresh_ = false;
  if (parts_.has_sink) {
    commit();
    recorder_.apply(monitor_.now());
  }
  return true;
}

void SegmentRunner::check_stop() const {
  if (monitor_.command() == shm::Command::stop) {
    throw Stopped{};
  }
}

/// REQUIRES: the commit follows, and then recorder_.apply().
void SegmentRunner::prepare_counts() {
  chain_.flush_counts();
  if (exits_ > 0) {
    recorder_.add_items(exit_index(), std::exchange(exits_, 0));
  }
  recorder_.prepare(inputs_done_);
}

void SegmentRunner::commit() {
  const std::uint64_t committed = ring_.journal().inputs_done.load(std::memory_order_relaxed);
  if (parts_.has_sink) {
    chain_.hosted().back()->flush();
  }
  if (saved_.any() && inputs_done_ != committed) {
    saved_.save(inputs_done_, committed);
  }
  if (!terminal_ && cursors_.any() && inputs_done_ != committed && !ring_.has_uncommitted()) {
    // A cursor is committed with output only; a mark that readers step over is output enough.
    output_.mark(shm::RecordKind::tombstone, 0);
  }
  cursors_.keep();
  const shm::Done done{.inputs_done = inputs_done_,
                       .parts_out = 0,
                       .flags = ended_ ? shm::kJournalEnded : 0,
                       .cycles = cycles_,
                       .cursor = cursors_.kept()};
  prepare_counts();
  if (terminal_) {
    ring_.commit_terminal(done);
  } else if (ring_.has_uncommitted()) {
    ring_.commit(done);
  } else if (inputs_done_ != committed) {
    ring_.commit_inputs_done(inputs_done_);
  }
  output_.note_commit();
  monitor_.count_commit();
}

std::uint8_t SegmentRunner::closes_after(std::uint8_t closes) const {
  if (parts_.place.alone()) {
    return closes;
  }
  if (parts_.place.first) {
    return static_cast<std::uint8_t>(closes + 1);
  }
  return static_cast<std::uint8_t>(parts_.place.last && closes > 0 ? closes - 1 : closes);
}

void SegmentRunner::finish_input(std::uint64_t number, std::uint8_t closes) {
  if (!terminal_) {
    output_.end_input(closes_after(closes), answer_);
  }
  chain_.finish_item();
  inputs_done_ = number + 1;
  if (parts_.place.first || closes > 0) {
    ++cycles_;
  }
}

void SegmentRunner::end() {
  if (!terminal_) {
    // Should the mark have to wait for room, then what is done so far is committed: whole inputs, and not yet the end.
    cursors_.keep();
    output_.begin_input(0);
    output_.mark(shm::RecordKind::end, 0);
  }
  ended_ = true;
}

void SegmentRunner::tag_item(const shm::Record& record) {
  flow_.tag = {.sequence = record.sequence,
               .part = record.part,
               .attempt = attempt_at(record.number),
               .entered_ns = record.entered_ns};
  flow_.input = &record;
}

/// Items that leave the main pipeline, if they do so here.
void SegmentRunner::count_exits(std::uint64_t came_out) {
  exits_ += parts_.exits ? came_out : 0;
}

void SegmentRunner::take_item(const shm::Record& record) {
  tag_item(record);
  monitor_.begin_item(record.number, record.sequence);
  if (is_poison(record.number)) {
    output_.begin_input(already_out_);
    set_aside(record);
    return;
  }
  start_clock(record.sequence);
  run_guarded(record);
  const std::uint64_t came_out = terminal_ ? 1 : output_.emitted();
  count_exits(came_out);
  stop_clock(record.number, came_out);
}

/// A batch begins. The first item of a link may come later than that, so the clock is read when it is there: a worker
/// that is preempted in between would begin it before it came.
void SegmentRunner::set_clock(std::int64_t now) {
  if (reader_) {
    chain_.clock().expire();
  } else {
    chain_.clock().set(now);
  }
}

void SegmentRunner::start_clock(std::uint64_t sequence) {
  chain_.clock().start(timed_batch_ || recorder_.wants(sequence));
}

void SegmentRunner::stop_clock(std::uint64_t input, std::uint64_t came_out) {
  const Item::Tag& tag = flow_.tag;
  if (!timed_batch_) {
    ages_.add(reader_ ? 1 : came_out, tag.entered_ns);
    exit_ages_.add(parts_.exits ? came_out : 0, tag.entered_ns);
  }
  if (!chain_.clock().timing()) {
    return;
  }
  chain_.clock().stop(tag, input, timed_batch_);
  if (parts_.exits && came_out > 0) {
    const std::int64_t latency = chain_.clock().last() - tag.entered_ns;
    recorder_.sample(exit_index(), tag.sequence, input, tag.entered_ns, latency, timed_batch_ ? 1 : recorder_.weight());
    if (timed_batch_) {
      recorder_.add_time(exit_index(), latency * static_cast<std::int64_t>(came_out));
    }
  }
}

/// Before a commit in a batch in which not every item is timed.
void SegmentRunner::share_time(std::int64_t now) {
  const std::int64_t worked = now - began_ - blocked_ns_;
  chain_.share_time(worked - std::exchange(shared_ns_, worked), std::exchange(ages_, {}).at(now));
  if (parts_.exits) {
    recorder_.add_time(exit_index(), std::exchange(exit_ages_, {}).at(now));
  }
}

void SegmentRunner::take(const shm::Record& record) {
  switch (record.kind) {
    case shm::RecordKind::end:
      end();
      inputs_done_ = record.number + 1;
      return;
    case shm::RecordKind::tombstone:
      flow_.tag = {.sequence = record.sequence, .part = record.part, .attempt = 1, .entered_ns = record.entered_ns};
      output_.begin_input(already_out_);
      break;
    default:
      take_item(record);
  }
  already_out_ = 0;
  finish_input(record.number, record.closes);
}

/// The source is not asked for more: it has given as many items as the run may have, or the pipeline drains and it
/// holds nothing that it could not read again.
bool SegmentRunner::source_is_over() const {
  check_stop();
  const std::uint64_t limit = monitor_.control().items_limit.load(std::memory_order_relaxed);
  if (limit != 0 && inputs_done_ >= limit) {
    return true;
  }
  const bool drains = draining() || monitor_.command() != shm::Command::run;
  return drains && !chain_.hosted().front()->buffered();
}

bool SegmentRunner::take_from_source() {
  if (source_is_over()) {
    end();
    return true;
  }
  cursors_.keep();
  start_clock(inputs_done_);
  // Of a fast source all items of a batch enter at once.
  flow_.tag.entered_ns = chain_.clock().timing() ? chain_.clock().last() : began_;
  flow_.tag.attempt = attempt_at(inputs_done_);
  flow_.next_sequence = inputs_done_;
  monitor_.begin_item(inputs_done_, inputs_done_);
  output_.begin_input(already_out_);
  bool more = false;
  const auto fault = failure_of([&] { more = chain_.produce(); });
  already_out_ = 0;
  const std::uint64_t given = flow_.next_sequence - inputs_done_;
  const bool fails = fault && !goes_on_behind_fault(given > 0);
  if (fault && !fails) {
    leave_out(*fault);
    more = true;
  }
  const bool any = flow_.next_sequence != inputs_done_;
  if (any) {
    if (!terminal_) {
      output_.end_input(closes_after(0), answer_);
    }
    count_exits(given);
    flow_.tag.sequence = inputs_done_;
    stop_clock(inputs_done_, given);
    inputs_done_ = flow_.next_sequence;
    ++cycles_;
    chain_.finish_item();
    chain_.count_items(given);
  }
  if (fails) {
    throw StageFailed(inputs_done_, *fault);
  }
  if (!more) {
    end();
  }
  return any || !more;
}

/// One input: true if there was one.
bool SegmentRunner::take_next() {
  if (!reader_) {
    return take_from_source();
  }
  const shm::Record* record = reader_->try_peek();
  if (record == nullptr) {
    return false;
  }
  take(*record);
  reader_->advance();
  return true;
}

/// At least one input, if there is any; how many.
std::uint32_t SegmentRunner::take_some() {
  if (runs_) {
    if (const std::uint32_t taken = take_run(); taken > 0) {
      return taken;
    }
  }
  return take_next() ? 1 : 0;
}

/// A failure for good takes nothing back that was done before it. True as `work` says.
template <class Work>
bool SegmentRunner::saving_what_is_done(const Work& work) {
  try {
    return work();
  } catch (const StageFailed&) {
    commit_before_failure();
    throw;
  }
}

bool SegmentRunner::run_batch() {
  return saving_what_is_done([this] { return run_some(); });
}

bool SegmentRunner::run_some() {
  check_stop();
  if (fresh_ && !begin()) {
    return false;
  }
  if (async_) {
    return run_async();
  }
  began_ = began_ != 0 ? began_ : monitor_.now();
  set_clock(began_);
  timed_batch_ = pace_.slow();
  std::uint32_t taken = 0;
  while (taken < pace_.batch() && !ended_ && recorder_.has_room()) {
    if (taken > 0) {
      pace_.note_several();
    }
    const std::uint32_t some = take_some();
    if (some == 0) {
      break;
    }
    taken += some;
    if (runs_ && runs_->late()) {
      break;
    }
  }
  if (taken == 0) {
    began_ = 0;
    return !reader_;  // a source that was interrupted is asked again
  }
  finish_batch(taken);
  return true;
}

/// Commits, and adapts the batch to the time that stages take: results of slow stages leave at once, fast ones share a
/// commit.
void SegmentRunner::finish_batch(std::uint32_t items) {
  if (!timed_batch_) {
    share_time(monitor_.now());
    shared_ns_ = 0;
  }
  commit();
  if (reader_) {
    release_input();
  }
  const std::int64_t now = monitor_.now();
  const std::int64_t took = now - began_;
  monitor_.add_working(took - std::exchange(start_up_ns_, 0));
  monitor_.set_last_end(now);
  recorder_.apply(now);
  pace_.note(items, took - blocked_ns_);
  began_ = now;
  blocked_ns_ = 0;
}

bool SegmentRunner::run_one(bool& closed) {
  check_stop();
  monitor_.set_segment(parts_.index);
  if (fresh_ && !begin()) {
    return false;
  }
  const std::uint64_t cycles = cycles_;
  const std::int64_t began = monitor_.now();
  set_clock(began);
  timed_batch_ = true;
  if (!saving_what_is_done([this] { return take_next(); })) {
    return false;
  }
  closed = cycles_ != cycles || ended_;
  commit();
  if (reader_) {
    release_input();
  }
  finish_slow(began);
  return true;
}

/// After a commit: the worker's times since `began`.
void SegmentRunner::finish_slow(std::int64_t began) {
  const std::int64_t now = monitor_.now();
  monitor_.add_working(now - began - std::exchange(start_up_ns_, 0));
  monitor_.set_last_end(now);
  recorder_.apply(now);
  blocked_ns_ = 0;
}

void SegmentRunner::cleanup() {
  for (const auto& hosted : chain_.hosted()) {
    monitor_.set_hosted(parts_.first_hosted + static_cast<std::uint32_t>(&hosted - chain_.hosted().data()));
    hosted->cleanup();
  }
}

}  // namespace pystream::worker
