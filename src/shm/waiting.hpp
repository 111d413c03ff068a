#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/clock.hpp"
#include "base/futex.hpp"
#include "base/kill_point.hpp"
#include "base/mutation.hpp"

/// How the ends of a link wait for one another. The futex word is the low half of what is waited for (a write position,
/// the count of releases, or whether the producer requests a release), so no wake-up can fall between the last look and
/// the sleep. The waiter announces what it saw before it sleeps; that only tells the other side whether to call at all.
///
///   waiter                               waker
///   asleep_at = what it saw              stores the word (release)
///   fence (SLEEP)                        fence (SLEEP)
///   looks at the word once more          asleep_at is neither 0, nor of this word, nor one already ended?
///   futex_wait(word, seen)               futex_wake(word); that sleep is ended
///   asleep_at = 0
///
/// With both fences sequentially consistent, either the waiter sees the new word or the waker sees its announcement.
/// The waker remembers the sleep as ended even if the waiter had not entered the kernel yet: the word has changed, so
/// the kernel refuses a sleep on the announced value. Words only grow, so a later sleep is announced with another
/// value, and several waiters may sleep on one word. (A waiter that announces only that it sleeps, and not on which
/// value, loses wake-ups: tests/model, BREAK 6.)
///
/// A waiter may sleep on a second word as well. The process that changes the second word wakes it and does not remember
/// the sleep as ended, because the waiter sleeps again on the same value of the first word (BREAK 7). One that sleeps
/// on the words of several links announces each in the page of that link.
namespace pystream::shm {

/// What a waiter announces that saw `seen`; odd. 0: awake.
constexpr std::uint64_t asleep_on(std::uint64_t seen) {
  return seen << 1 | 1;
}

/// Wake-ups of a write position are for single consumers. Two may have the same bit; who is woken for nothing sleeps
/// on.
constexpr std::uint32_t wake_bit(std::size_t consumer) {
  return std::uint32_t{1} << consumer % 32;
}

struct Watched {
  const std::atomic<std::uint64_t>& word;
  std::atomic<std::uint64_t>& asleep_at;
  std::uint64_t seen;  ///< the wait is over as soon as the word is another
  std::uint64_t announced = asleep_on(seen);
  std::uint32_t bits = base::kEverySleeper;  ///< which wake-ups of the word are for this waiter

  bool changed() const { return word.load(std::memory_order_acquire) != seen; }
  void fall_asleep() const {
    const bool position = !base::mutated(base::Mutation::sleep_without_position);
    asleep_at.store(position ? announced : ~std::uint64_t{0}, std::memory_order_relaxed);
  }
  void wake_up() const { asleep_at.store(0, std::memory_order_relaxed); }
};

/// What one waker remembers of one waiter.
class EndedSleep {
 public:
  /// After the fence that follows a store of `stored` into the word: true if the waiter has to be woken; this sleep is
  /// ended then. `asleep_at`: untrusted.
  bool must_wake(const std::atomic<std::uint64_t>& asleep_at, std::uint64_t stored) {
    const std::uint64_t sleep = asleep_at.load(std::memory_order_relaxed);
    if (sleep == 0 || sleep == ended_ || sleep == asleep_on(stored)) {
      return false;
    }
    ended_ = sleep;
    return true;
  }

 private:
  std::uint64_t ended_ = 0;
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
    base::futex_wait(watched.word, watched.seen, patience.timeout_ns, watched.bits);
  }
  watched.wake_up();
}

/// As wait_for_change(), for a worker that has something to do when any of the words changes. Several may be announced
/// in one place, with one value. REQUIRES: at least one, at most base::kMostFutexes.
inline void wait_for_any(std::span<const Watched> all, const Patience& patience) {
  const auto changed = [&] { return std::ranges::any_of(all, &Watched::changed); };
  if (spin(patience.spin_ns, changed)) {
    return;
  }
  std::array<base::FutexWait, base::kMostFutexes> words{};
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].fall_asleep();
    words[i] = {.word = &all[i].word, .seen = all[i].seen};
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);  // SLEEP
  if (!changed()) {
    base::kill_point(base::KillPoint::asleep);
    base::futex_wait_any(std::span(words).first(all.size()), patience.timeout_ns);
  }
  std::ranges::for_each(all, &Watched::wake_up);
}

}  // namespace pystream::shm
