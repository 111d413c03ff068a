#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

/// Futexes on the low half of a 64-bit position, shared between processes. Both calls work through a mapping that
/// this process may only read.
namespace pystream::base {

/// Selects sleepers on a word: those that sleep with one of these bits.
inline constexpr std::uint32_t kEverySleeper = ~std::uint32_t{0};

/// Sleeps while the low half of `word` is the low half of `seen`, for at most `timeout_ns`; may also return early
/// (a signal, a wake-up without a change). The caller must check its condition again in any case. REQUIRES:
/// `bits` is not 0.
void futex_wait(const std::atomic<std::uint64_t>& word, std::uint64_t seen, std::int64_t timeout_ns,
                std::uint32_t bits = kEverySleeper);

struct FutexWait {
  const std::atomic<std::uint64_t>* word;
  std::uint64_t seen;
};

/// As futex_wait(), on several words at once: a change of any ends it. On a kernel without futex_waitv (before 5.16) it
/// sleeps on the first, and no longer than a millisecond. REQUIRES: at least one word, at most kMostFutexes.
void futex_wait_any(std::span<const FutexWait> words, std::int64_t timeout_ns);
inline constexpr std::size_t kMostFutexes = 64;

/// Wakes those that sleep on `word` with one of `bits`; false if there are none. Who sleeps on several words has all
/// bits.
bool futex_wake(const std::atomic<std::uint64_t>& word, std::uint32_t bits = kEverySleeper);

}  // namespace pystream::base
