#include "base/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bit>
#include <climits>
#include <ctime>

namespace pystream::base {

static_assert(std::endian::native == std::endian::little, "the futex word is the first half of the position");
static_assert(sizeof(std::atomic<std::uint64_t>) == 8 && std::atomic<std::uint64_t>::is_always_lock_free);

void futex_wait(const std::atomic<std::uint64_t>& word, std::uint64_t seen, std::int64_t timeout_ns) {
  const timespec timeout{.tv_sec = timeout_ns / 1'000'000'000, .tv_nsec = timeout_ns % 1'000'000'000};
  ::syscall(SYS_futex, &word, FUTEX_WAIT, static_cast<std::uint32_t>(seen), &timeout, nullptr, 0);
}

bool futex_wake(const std::atomic<std::uint64_t>& word) {
  return ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0) > 0;
}

}  // namespace pystream::base
