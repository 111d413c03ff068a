#include "worker/meter.hpp"

namespace pystream::worker {

/// The first item of a link may come later than its batch begins, so the clock is read when it is there: a worker that
/// is preempted in between would begin the item before it came.
void Meter::set_clock() {
  if ((chain_.source() != nullptr)) {
    chain_.clock().set(began_);
  } else {
    chain_.clock().expire();
  }
}

void Meter::record_item(const Item::Tag& tag, std::uint64_t input, std::uint64_t came_out) {
  chain_.clock().stop(tag, input, every_);
  if (exits_ && came_out > 0) {
    const std::int64_t latency = chain_.clock().last() - tag.entered_ns;
    recorder_.sample(exit_index(), tag.sequence, input, tag.entered_ns, latency, every_ ? 1 : recorder_.weight());
    if (every_) {
      recorder_.add_time(exit_index(), latency * static_cast<std::int64_t>(came_out));
    }
  }
}

void Meter::count_answer(const Item::Tag& tag, std::uint64_t input, std::int64_t asked_ns, std::uint64_t came_out) {
  const std::int64_t now = monitor_.now();
  const std::int64_t took = now - asked_ns;
  const std::int64_t age = now - tag.entered_ns;
  const std::uint32_t stage = chain_.first();
  recorder_.add_items(stage, 1);
  recorder_.sample(stage, tag.sequence, input, asked_ns, took, 1);
  recorder_.add_time(stage, took);
  recorder_.add_age(stage, age);
  if (exits_ && came_out > 0) {
    came_out_ += came_out;
    recorder_.add_time(exit_index(), age * static_cast<std::int64_t>(came_out));
    recorder_.sample(exit_index(), tag.sequence, input, tag.entered_ns, age, 1);
  }
}

void Meter::note_blocked(std::int64_t ns, bool consumer_has_begun) {
  if (consumer_has_begun) {
    monitor_.add_blocked(ns);
  } else {
    start_up_ += ns;
  }
  blocked_ += ns;
  chain_.clock().exclude(ns);
}

void Meter::share(std::int64_t now) {
  if (every_) {
    return;
  }
  const std::int64_t worked = now - began_ - blocked_;
  chain_.share_time(worked - std::exchange(shared_, worked), std::exchange(ages_, {}).at(now));
  if (exits_) {
    recorder_.add_time(exit_index(), std::exchange(exit_ages_, {}).at(now));
  }
}

void Meter::prepare(std::uint64_t inputs_done) {
  chain_.flush_counts();
  if (came_out_ > 0) {
    recorder_.add_items(exit_index(), std::exchange(came_out_, 0));
  }
  recorder_.prepare(inputs_done);
}

void Meter::close() {
  if (!every_) {
    share(monitor_.now());
    shared_ = 0;
  }
}

std::int64_t Meter::finish() {
  const std::int64_t now = monitor_.now();
  const std::int64_t took = now - began_;
  monitor_.add_working(took - std::exchange(start_up_, 0));
  monitor_.set_last_end(now);
  recorder_.apply(now);
  began_ = now;
  return took - std::exchange(blocked_, 0);
}

}  // namespace pystream::worker
