#include "base/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <climits>
#include <ctime>

#include "base/clock.hpp"

namespace pystream::base {
namespace {

constexpr std::int64_t kPollNs = 1'000'000;

timespec timespec_of(std::int64_t ns) {
  return {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
}

futex_waitv waiter(const FutexWait& wait) {
  return {.val = static_cast<std::uint32_t>(wait.seen),
          .uaddr = reinterpret_cast<std::uintptr_t>(wait.word),
          .flags = FUTEX_32,
          .__reserved = 0};
}

}  // namespace

static_assert(std::endian::native == std::endian::little, "the futex word is the first half of the position");
static_assert(sizeof(std::atomic<std::uint64_t>) == 8 && std::atomic<std::uint64_t>::is_always_lock_free);

void futex_wait(const std::atomic<std::uint64_t>& word, std::uint64_t seen, std::int64_t timeout_ns,
                std::uint32_t bits) {
  if (bits == kEverySleeper) {
    const timespec timeout = timespec_of(timeout_ns);
    ::syscall(SYS_futex, &word, FUTEX_WAIT, static_cast<std::uint32_t>(seen), &timeout, nullptr, 0);
  } else {
    const timespec until = timespec_of(now_ns() + timeout_ns);  // unlike FUTEX_WAIT's, this one is a point in time
    ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, static_cast<std::uint32_t>(seen), &until, nullptr, bits);
  }
}

void futex_wait_any(std::span<const FutexWait> words, std::int64_t timeout_ns) {
  std::array<futex_waitv, kMostFutexes> waiters{};
  std::ranges::transform(words, waiters.begin(), waiter);
  const timespec until = timespec_of(now_ns() + timeout_ns);
  const long woken = ::syscall(SYS_futex_waitv, waiters.data(), words.size(), 0, &until, CLOCK_MONOTONIC);
  if (woken < 0 && (errno == ENOSYS || errno == EPERM)) {
    futex_wait(*words.front().word, words.front().seen, std::min(timeout_ns, kPollNs));
  }
}

bool futex_wake(const std::atomic<std::uint64_t>& word, std::uint32_t bits) {
  return ::syscall(SYS_futex, &word, FUTEX_WAKE_BITSET, INT_MAX, nullptr, nullptr, bits) > 0;
}

}  // namespace pystream::base
