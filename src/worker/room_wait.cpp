#include "worker/room_wait.hpp"

#include "worker/sleep_times.hpp"

namespace pystream::worker {
namespace {

constexpr std::int64_t kLookBehindNs = 1'000'000;  ///< a full row looks so often for what came back from its child

}  // namespace

void RoomWait::make_room() {
  monitor_.check_stop();
  const shm::Watched full = ring_.room();  // the release below looks at the consumer once more
  const std::int64_t began = monitor_.now();
  meter_.share(began);
  const bool committed = committer_.commit_part(began);
  if (committed && inputs_.has_unreleased() && !leaves_inputs_) {
    inputs_.release();
  }
  if (run_behind_ && run_behind_()) {
    meter_.exclude(monitor_.now() - began);
    return;
  }
  const bool consumer_has_begun = ring_.items_inside() < ring_.next_number();
  monitor_.set_phase(shm::Phase::blocked);
  ring_.wait(full, {.spin_ns = spin_ns_, .timeout_ns = run_behind_ ? kLookBehindNs : kSleepNs});
  sizer_.note_own_sleep();
  monitor_.set_phase(shm::Phase::working);
  meter_.note_blocked(monitor_.now() - began, consumer_has_begun);
}

}  // namespace pystream::worker
