#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.hpp"
#include "base/futex.hpp"
#include "base/kill_point.hpp"

/// How the two ends of a link wait for one another. The futex word is the low half of what is waited for (a write
/// position, the count of releases, or whether the producer lacks room), so no wake-up can fall between the last look
/// and the sleep; the waiter's counter only tells the other side whether to call at all.
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

struct Watched {
  const std::atomic<std::uint64_t>& position;
  std::atomic<std::uint64_t>& sleeps;
  std::uint64_t seen;  ///< the wait is over as soon as position is another

  bool changed() const { return position.load(std::memory_order_acquire) != seen; }
  /// Always a number that was never slept under: a predecessor killed asleep left it odd, and the other side may
  /// remember that it ended that very sleep.
  void fall_asleep() const {
    sleeps.store((sleeps.load(std::memory_order_relaxed) + 1) | 1, std::memory_order_relaxed);
  }
  void wake_up() const { sleeps.store((sleeps.load(std::memory_order_relaxed) | 1) + 1, std::memory_order_relaxed); }
};

struct Patience {
  std::int64_t spin_ns = 0;  ///< 0: sleep at once
  std::int64_t timeout_ns = 0;
};

/// Tells the processor that this is a loop that waits: it saves power, and leaves more to a thread beside it.
inline void relax_processor() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield" ::: "memory");
#endif
}

/// True if `changed` came true while spinning.
template <class Changed>
bool spin(std::int64_t spin_ns, const Changed& changed) {
  if (spin_ns <= 0) {
    return false;
  }
  const std::int64_t until = base::now_ns() + spin_ns;
  do {
    for (int i = 0; i < 64; ++i) {
      if (changed()) {
        return true;
      }
      relax_processor();
    }
  } while (base::now_ns() < until);
  return false;
}

inline void wait_for_change(const Watched& watched, const Patience& patience) {
  if (spin(patience.spin_ns, [&] { return watched.changed(); })) {
    return;
  }
  watched.fall_asleep();
  std::atomic_thread_fence(std::memory_order_seq_cst);  // SLEEP
  if (!watched.changed()) {
    base::kill_point(base::KillPoint::asleep);
    base::futex_wait(watched.position, watched.seen, patience.timeout_ns);
  }
  watched.wake_up();
}

/// As wait_for_change(), for a worker that has something to do when either position changes. The two may have one
/// counter of sleeps.
inline void wait_for_either(const Watched& one, const Watched& other, const Patience& patience) {
  const auto changed = [&] { return one.changed() || other.changed(); };
  if (spin(patience.spin_ns, changed)) {
    return;
  }
  one.fall_asleep();
  other.fall_asleep();
  std::atomic_thread_fence(std::memory_order_seq_cst);  // SLEEP
  if (!changed()) {
    base::kill_point(base::KillPoint::asleep);
    base::futex_wait_either({.word = one.position, .seen = one.seen}, {.word = other.position, .seen = other.seen},
                            patience.timeout_ns);
  }
  one.wake_up();
  other.wake_up();
}

/// After a position was stored: the other side's sleep that this may have to end, 0 if it is awake.
inline std::uint64_t asleep(const std::atomic<std::uint64_t>& sleeps) {
  std::atomic_thread_fence(std::memory_order_seq_cst);  // SLEEP
  const std::uint64_t sleep = sleeps.load(std::memory_order_relaxed);
  return (sleep & 1) != 0 ? sleep : 0;
}

}  // namespace pystream::shm
