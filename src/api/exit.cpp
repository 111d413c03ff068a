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
    ring_.release();
    if (is_item && is_newest) {
      return true;
    }
  }
  return false;
}

bool Exit::take(const Decode& decode) {
  const Clock::time_point until = deadline_in(waiting_.block ? waiting_.timeout : Clock::duration{});
  std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock && !(waiting_.block && lock.try_lock_until(until))) {
    return false;
  }
  while (!take_now(decode)) {
    if (session_.failed(base::now_ns())) {
      if (take_now(decode)) {
        return true;  // it came out before the failure did
      }
      session_.check(base::now_ns());
    }
    const std::chrono::nanoseconds left = until - Clock::now();
    if (left.count() <= 0) {
      return false;
    }
    ring_.wait(spin_ns_, std::min(left, kLookPeriod).count());
  }
  return true;
}

}  // namespace pystream::api
