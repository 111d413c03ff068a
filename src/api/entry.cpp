#include "api/entry.hpp"

#include <algorithm>
#include <cstring>

#include "base/clock.hpp"
#include "setup/item_key.hpp"
#include "worker/worker_process.hpp"

namespace pystream::api {
namespace {

/// Items that are forwarded within this time entered at once, as far as their tags say. Workers make runs only of items
/// that entered together, and an item by itself costs each of them several looks at the clock.
constexpr std::int64_t kTogetherNs = 5'000;

}  // namespace

Entry::Entry(Session& session, plan::LinkId link, WaitOptions waiting)
    : session_(session),
      waiting_(waiting),
      spin_ns_(worker::spin_ns(session.topology().workers.size() - 1)),
      ring_(session.segment().map_producer(link), setup::key_of(session.topology().links[link])) {
  if (!waiting_.block) {
    ring_.lift_time_bound();
  }
}

Entry::Lock Entry::take_turn(Deadline& deadline) {
  if (lender_.load(std::memory_order_relaxed) == std::this_thread::get_id()) {
    throw Error("this thread has a loan open; forward or destroy it first");
  }
  Lock lock(mutex_, std::try_to_lock);
  if (lock || (waiting_.block && lock.try_lock_until(deadline.at()))) {
    const std::int64_t now = base::now_ns();
    if (now - entered_ns_ >= kTogetherNs) {
      entered_ns_ = now;
    }
    session_.check(now);
  }
  return lock;
}

std::byte* Entry::reserve(std::size_t size, Deadline& deadline, const std::stop_token& stop) {
  std::byte* room = ring_.try_reserve(size);
  if (room == nullptr && ring_.has_uncommitted()) {
    commit();
    room = ring_.try_reserve(size);
  }
  if (room == nullptr && ring_.overflow() == shm::Overflow::drop_newest) {
    ring_.count_dropped();
    return nullptr;
  }
  while (room == nullptr) {
    const std::int64_t now = base::now_ns();
    session_.check(now);
    const std::chrono::nanoseconds left = deadline.at() - Clock::now();
    if (!waiting_.block || left.count() <= 0 || stop.stop_requested()) {
      return nullptr;
    }
    ring_.wait(spin_ns_, std::min(left, kLookPeriod).count());
    room = ring_.try_reserve(size);
  }
  return room;
}

void Entry::finish(std::size_t size) {
  ring_.finish(size, {.sequence = ring_.next_number(), .part = 0, .entered_ns = entered_ns_});
}

void Entry::commit() {
  ring_.commit({.inputs_done = ring_.next_number(), .cycles = ring_.next_number()});
}

/// Without the commit.
bool Entry::forward_one(const void* value, const ValueType& type, Deadline& deadline, const std::stop_token& stop) {
  const std::size_t size = type.size(value);
  std::byte* room = reserve(size, deadline, stop);
  if (room == nullptr) {
    return false;
  }
  type.encode(value, {room, size});
  finish(size);
  return true;
}

bool Entry::forward(const void* value, const ValueType& type, const std::stop_token& stop) {
  Deadline until = deadline();
  const Lock lock = take_turn(until);
  if (!lock || !forward_one(value, type, until, stop)) {
    return false;
  }
  commit();
  return true;
}

/// Makes a run of `value` and of those that follow it, as far as there is room now; how many it took. `value` is then
/// the next one, nullptr at the end. What `next` throws leaves those before it in the run.
std::size_t Entry::try_forward_run(const void*& value, std::size_t size, const NextValue& next) {
  const std::uint32_t room = ring_.try_reserve_run(size, shm::kMostInRun);
  if (room == 0) {
    return 0;
  }
  const shm::RecordTag tag{.sequence = ring_.next_number(), .part = 0, .entered_ns = entered_ns_};
  std::byte* to = ring_.run_start();
  std::uint32_t items = 0;
  try {
    for (; value != nullptr && items < room; value = next()) {
      std::memcpy(to, value, size);
      to += size;
      ++items;
    }
  } catch (...) {
    value = nullptr;
    ring_.finish_run(size, {.items = items, .sequences = shm::low_bits(items)}, tag);
    throw;
  }
  ring_.finish_run(size, {.items = items, .sequences = shm::low_bits(items)}, tag);
  return items;
}

std::size_t Entry::forward_all(const ValueType& type, const NextValue& next) {
  Deadline until = deadline();
  const Lock lock = take_turn(until);
  std::size_t taken = 0;
  const auto publish = [&] {
    if (lock && ring_.has_uncommitted()) {
      commit();
    }
  };
  try {
    const bool in_runs = type.plain_bytes != 0 && type.plain_bytes <= ring_.run_limit() &&
                         ring_.overflow() == shm::Overflow::block && !ring_.deals();
    const void* value = lock ? next() : nullptr;
    while (value != nullptr) {
      if (const std::size_t run = in_runs ? try_forward_run(value, type.plain_bytes, next) : 0; run != 0) {
        taken += run;
        continue;
      }
      if (!forward_one(value, type, until, {})) {
        break;
      }
      ++taken;
      value = next();
    }
  } catch (...) {
    publish();  // what stood before the item that is at fault has been taken
    throw;
  }
  publish();
  return taken;
}

/// Keeps the entry's turn while it lives.
class Entry::Slot final : public LoanSlot {
 public:
  Slot(Entry& entry, Lock lock, std::span<std::byte> bytes) : entry_(entry), lock_(std::move(lock)), bytes_(bytes) {
    entry_.lender_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  }
  ~Slot() override { entry_.lender_.store({}, std::memory_order_relaxed); }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  std::span<std::byte> bytes() override { return bytes_; }
  void send(std::size_t size) override {
    entry_.session_.check(base::now_ns());
    entry_.finish(size);
    entry_.commit();
  }

 private:
  Entry& entry_;
  Lock lock_;
  std::span<std::byte> bytes_;
};

std::unique_ptr<LoanSlot> Entry::loan(std::size_t size) {
  Deadline until = deadline();
  Lock lock = take_turn(until);
  std::byte* room = lock ? reserve(size, until, {}) : nullptr;
  return room != nullptr ? std::make_unique<Slot>(*this, std::move(lock), std::span(room, size)) : nullptr;
}

}  // namespace pystream::api
