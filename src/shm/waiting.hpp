#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.hpp"
#include "base/futex.hpp"
#include "base/kill_point.hpp"

/// How the two ends of a link wait for one another. The futex word is the low half of the position waited for, so no
/// wake-up can fall between the last look and the sleep; the waiter's counter only tells the other side whether to
/// call at all.
///
///   waiter                               waker
///   sleeps becomes odd                   stores the position (release)
///   fence (SLEEP)                        fence (SLEEP)
///   looks at the position once more      sleeps odd, and not one already ended?
///   futex_wait(position, seen)           futex_wake(position); woke somebody? That sleep is ended
///   sleeps becomes even
///
/// With both fences sequentially consistent, either the waiter sees the new position or the waker sees the odd
/// counter. A waker remembers a sleep as ended only if futex_wake() did wake somebody: the waiter may have raised its
/// counter and not be in the kernel yet, and then goes to sleep on the position that is already there. (Remembering it
/// all the same was a lost wake-up: tests/model/link.pml, BREAK 7.) A restarted worker goes on with its predecessor's
/// counter, at the next odd number.
namespace pystream::shm {

struct WaitFor {
  const std::atomic<std::uint64_t>& position;
  std::atomic<std::uint64_t>& sleeps;
  std::uint64_t seen;    ///< returns as soon as position is another
  std::int64_t spin_ns;  ///< 0: sleep at once
  std::int64_t timeout_ns;
};

inline void wait_for_change(const WaitFor& wait) {
  const auto changed = [&] { return wait.position.load(std::memory_order_acquire) != wait.seen; };
  if (wait.spin_ns > 0) {
    const std::int64_t until = base::now_ns() + wait.spin_ns;
    do {
      for (int i = 0; i < 64; ++i) {
        if (changed()) {
          return;
        }
        __builtin_ia32_pause();
      }
    } while (base::now_ns() < until);
  }
  // Always a number that was never slept under: a predecessor killed asleep left it odd, and the other side may
  // remember that it ended that very sleep.
  const std::uint64_t sleep = (wait.sleeps.load(std::memory_order_relaxed) + 1) | 1;
  wait.sleeps.store(sleep, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);  // SLEEP
  if (!changed()) {
    base::kill_point(base::KillPoint::asleep);
    base::futex_wait(wait.position, wait.seen, wait.timeout_ns);
  }
  wait.sleeps.store(sleep + 1, std::memory_order_relaxed);
}

/// After a position was stored: the other side's sleep that this may have to end, 0 if it is awake.
inline std::uint64_t asleep(const std::atomic<std::uint64_t>& sleeps) {
  std::atomic_thread_fence(std::memory_order_seq_cst);  // SLEEP
  const std::uint64_t sleep = sleeps.load(std::memory_order_relaxed);
  return (sleep & 1) != 0 ? sleep : 0;
}

}  // namespace pystream::shm
