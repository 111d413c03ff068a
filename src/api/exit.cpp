#include "api/exit.hpp"

#include <algorithm>

#include "api/patience.hpp"
#include "base/clock.hpp"
#include "worker/worker_process.hpp"

namespace pystream::api {

Exit::Exit(Session& session, plan::LinkId link, WaitOptions waiting)
    : session_(session),
      waiting_(waiting),
      spin_ns_(worker::spin_ns(session.topology().workers.size() - 1)),
      ring_(session.segment().map_consumer(link), 0) {}

bool Exit::take_now(const Decode& decode) {
  while (const shm::Record* record = ring_.try_peek()) {
    const bool is_item = record->is_item();
    const bool is_newest = !ring_.one_at_a_time() || record->number + 1 >= ring_.published_number();
    if (is_item && is_newest) {
      decode(record->payload);
    }
    ring_.advance();
    if (ring_.should_release()) {
      ring_.release();
    }
    if (is_item && is_newest) {
      return true;
    }
  }
  return false;
}

/// An unlocked lock: not in time.
Exit::Lock Exit::take_turn(Deadline& until) {
  Lock lock(mutex_, std::try_to_lock);
  if (!lock && waiting_.block) {
    static_cast<void>(lock.try_lock_until(until.at()));
  }
  return lock;
}

bool Exit::take(const Decode& decode) {
  Deadline until(waiting_.block ? waiting_.timeout : Clock::duration{});
  const Lock lock = take_turn(until);
  return lock && wait_and_take(until, decode);
}

std::size_t Exit::take_all(std::size_t limit, const Decode& decode) {
  Deadline until(waiting_.block ? waiting_.timeout : Clock::duration{});
  const Lock lock = take_turn(until);
  if (!lock || limit == 0 || !wait_and_take(until, decode)) {
    return 0;
  }
  std::size_t taken = 1;
  try {
    while (taken < limit && take_now(decode)) {
      ++taken;
    }
  } catch (...) {  // the caller gets what was taken before; the next call meets this once more
  }
  return taken;
}

bool Exit::wait_and_take(Deadline& until, const Decode& decode) {
  while (!take_now(decode)) {
    if (session_.failed(base::now_ns())) {
      if (take_now(decode)) {
        return true;  // it came out before the failure did
      }
      session_.check(base::now_ns());
    }
    const std::chrono::nanoseconds left = until.at() - Clock::now();
    if (left.count() <= 0) {
      return false;
    }
    if (!ring_.try_nap()) {
      ring_.wait(spin_ns_, std::min(left, kLookPeriod).count());
    }
  }
  return true;
}

}  // namespace pystream::api
