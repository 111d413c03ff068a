#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/futex.hpp"
#include "bench/processes.hpp"

namespace pystream::bench {

/// The limit to measure against: the least that a link can be. Slots of a fixed size, one producer, one consumer, the
/// same futex sleeps; no headers, no recovery, no checks, no statistics.
template <std::size_t kBytes>
class BareRing {
 public:
  explicit BareRing(std::size_t ring_bytes)
      : slots_(whole_slots(ring_bytes)), memory_(sizeof(Words) + slots_ * kBytes) {
    words_ = ::new (memory_.data()) Words();
    data_ = memory_.data() + sizeof(Words);
  }

  std::byte* slot(std::uint64_t index) const { return data_ + (index & (slots_ - 1)) * kBytes; }
  std::size_t slots() const { return slots_; }

  /// What is there now, without waiting.
  std::uint64_t written() const { return words_->written.load(std::memory_order_acquire); }
  std::uint64_t read() const { return words_->read.load(std::memory_order_acquire); }
  /// Without a wake-up: for two ends that never sleep.
  void store_written(std::uint64_t to) { words_->written.store(to, std::memory_order_release); }
  void store_read(std::uint64_t to) { words_->read.store(to, std::memory_order_release); }

  /// Sleeps until more than `read` items are written; gives how many.
  std::uint64_t wait_written(std::uint64_t read) {
    return wait(words_->written, words_->reader_sleeps, [&](std::uint64_t now) { return now != read; });
  }
  /// Sleeps until there is room for item number `written`; gives how many were read.
  std::uint64_t wait_room(std::uint64_t written) {
    return wait(words_->read, words_->writer_sleeps, [&](std::uint64_t now) { return written - now < slots_; });
  }
  void publish_written(std::uint64_t to) { publish(words_->written, words_->reader_sleeps, to, true); }
  /// Wakes the writer once a quarter is free.
  void publish_read(std::uint64_t to) {
    const bool worthwhile = words_->written.load(std::memory_order_relaxed) - to <= slots_ / 4 * 3;
    publish(words_->read, words_->writer_sleeps, to, worthwhile);
  }

 private:
  struct Words {
    alignas(128) std::atomic<std::uint64_t> written{0};
    alignas(128) std::atomic<std::uint64_t> read{0};
    alignas(128) std::atomic<std::uint32_t> reader_sleeps{0};
    alignas(128) std::atomic<std::uint32_t> writer_sleeps{0};
  };

  static std::size_t whole_slots(std::size_t ring_bytes) {
    std::size_t slots = 4;
    while (slots * 2 * kBytes <= ring_bytes) {
      slots *= 2;
    }
    return slots;
  }

  template <class Enough>
  std::uint64_t wait(std::atomic<std::uint64_t>& word, std::atomic<std::uint32_t>& sleeps, Enough enough) {
    for (;;) {
      const std::uint64_t now = word.load(std::memory_order_acquire);
      if (enough(now)) {
        return now;
      }
      sleeps.store(1, std::memory_order_relaxed);
      std::atomic_thread_fence(std::memory_order_seq_cst);
      if (word.load(std::memory_order_acquire) == now) {
        base::futex_wait(word, now, 1'000'000'000);
      }
      sleeps.store(0, std::memory_order_relaxed);
    }
  }
  void publish(std::atomic<std::uint64_t>& word, std::atomic<std::uint32_t>& sleeps, std::uint64_t to, bool wake) {
    word.store(to, std::memory_order_release);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (wake && sleeps.load(std::memory_order_relaxed) != 0) {
      sleeps.store(0, std::memory_order_relaxed);
      base::futex_wake(word);
    }
  }

  std::size_t slots_;
  SharedMemory memory_;
  Words* words_ = nullptr;
  std::byte* data_ = nullptr;
};

}  // namespace pystream::bench
