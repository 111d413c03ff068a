#pragma once

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/futex.hpp"

/// The limit to measure against: processes in a row joined by the least that a link can be. Fixed-size slots, one
/// producer, one consumer, batches, the same futex sleeps; no headers, no recovery, no checks, no statistics.
namespace pystream::bench {

class BareRing {
 public:
  BareRing(std::size_t item_bytes, std::size_t ring_bytes) : item_(item_bytes), slots_(1) {
    while (slots_ * 2 * item_ <= ring_bytes) {
      slots_ *= 2;
    }
    slots_ = slots_ < 4 ? 4 : slots_;
    void* memory = ::mmap(nullptr, sizeof(Shared) + slots_ * item_, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    shared_ = static_cast<Shared*>(memory);
    data_ = static_cast<std::byte*>(memory) + sizeof(Shared);
  }

  std::byte* slot(std::uint64_t index) { return data_ + (index & (slots_ - 1)) * item_; }
  std::size_t slots() const { return slots_; }

  std::uint64_t wait_written(std::uint64_t read) {
    return wait(shared_->written, shared_->reader_sleeps, [&](std::uint64_t now) { return now != read; });
  }
  /// Waits until a quarter of the ring is free.
  std::uint64_t wait_room(std::uint64_t written) {
    return wait(shared_->read, shared_->writer_sleeps, [&](std::uint64_t now) { return written - now < slots_; });
  }
  void publish_written(std::uint64_t to) { publish(shared_->written, shared_->reader_sleeps, to, true); }
  void publish_read(std::uint64_t to) {
    const bool worthwhile = shared_->written.load(std::memory_order_relaxed) - to <= slots_ / 4 * 3;
    publish(shared_->read, shared_->writer_sleeps, to, worthwhile);
  }

 private:
  struct Shared {
    alignas(128) std::atomic<std::uint64_t> written;
    alignas(128) std::atomic<std::uint64_t> read;
    alignas(128) std::atomic<std::uint32_t> reader_sleeps;
    alignas(128) std::atomic<std::uint32_t> writer_sleeps;
  };

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

  std::size_t item_;
  std::size_t slots_;
  Shared* shared_;
  std::byte* data_;
};

/// `nodes` processes; the first writes `items` items, each in between adds 1 to an item's first word and copies the
/// rest, the last reads. Returns the time from start to end.
inline std::chrono::nanoseconds run_bare_chain(int nodes, std::size_t item_bytes, std::uint64_t items,
                                               std::size_t ring_bytes = 1 << 20) {
  constexpr std::uint64_t kBatch = 256;
  std::vector<BareRing> rings;
  for (int i = 0; i + 1 < nodes; ++i) {
    rings.emplace_back(item_bytes, ring_bytes);
  }
  const auto start = std::chrono::steady_clock::now();
  for (int node = 0; node < nodes; ++node) {
    if (::fork() != 0) {
      continue;
    }
    BareRing* in = node > 0 ? &rings[static_cast<std::size_t>(node) - 1] : nullptr;
    BareRing* out = node + 1 < nodes ? &rings[static_cast<std::size_t>(node)] : nullptr;
    std::uint64_t readable = 0;
    std::uint64_t writable = out != nullptr ? out->slots() : items;
    volatile std::uint64_t sum = 0;
    for (std::uint64_t at = 0; at < items;) {
      if (in != nullptr && readable == at) {
        readable = in->wait_written(at);
      }
      if (out != nullptr && writable == at) {
        writable = out->wait_room(at) + out->slots();
      }
      const std::uint64_t limit = in != nullptr ? readable : items;
      std::uint64_t end = at + kBatch;
      end = end < limit ? end : limit;
      end = end < writable ? end : writable;
      for (std::uint64_t i = at; i < end; ++i) {
        std::uint64_t value = i;
        if (in != nullptr) {
          std::memcpy(&value, in->slot(i), 8);
          ++value;
        }
        if (out != nullptr) {
          std::byte* to = out->slot(i);
          if (in != nullptr) {
            std::memcpy(to + 8, in->slot(i) + 8, item_bytes - 8);
          } else {
            std::memset(to + 8, 0, item_bytes - 8);
          }
          std::memcpy(to, &value, 8);
        } else {
          sum = sum + value;
        }
      }
      at = end;
      if (out != nullptr) {
        out->publish_written(at);
      }
      if (in != nullptr) {
        in->publish_read(at);
      }
    }
    ::_exit(0);
  }
  while (::wait(nullptr) > 0) {
  }
  return std::chrono::steady_clock::now() - start;
}

}  // namespace pystream::bench
