#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "shm/link_corrupt.hpp"
#include "shm/ring_abi.hpp"

/// What the parts of a producer's end have in common.
namespace pystream::shm {

/// How far a producer has written: a commit publishes it, and a rollback returns to it.
struct Written {
  std::uint64_t position = 0;        ///< of the next record
  std::uint64_t number = 0;          ///< of the next record
  std::uint64_t large_position = 0;  ///< where the next large payload may begin
  std::uint64_t large_ordinal = 0;   ///< of the next large payload
  std::uint64_t outputs = 0;         ///< items (not marks) so far
  std::uint32_t deal_turn = 0;       ///< consumer that the next record is dealt to
};

/// What is free again, as the producer saw it last.
struct Freed {
  std::uint64_t position = 0;        ///< the ring before it
  std::uint64_t large_position = 0;  ///< the large area before it
  std::uint64_t large_ordinal = 0;   ///< large payloads with a smaller one
  // Done, and perhaps retained for others: no longer within the limits of items.
  std::uint64_t done_number = 0;
  std::uint64_t done_large = 0;
};

/// The ring as its producer maps it.
struct RingBytes {
  std::byte* data = nullptr;
  std::uint64_t mask = 0;

  std::byte* at(std::uint64_t position) const { return data + (position & mask); }
};

/// Throws LinkCorrupt where the producer of a link finds it damaged.
class ProducerCheck {
 public:
  ProducerCheck(std::uint32_t link, const ProducerPage& page) : link_(link), page_(&page) {}
  void operator()(bool holds, const char* what) const {
    if (!holds) [[unlikely]] {
      fail(what);
    }
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    const std::uint64_t committed = page_->write_position.load(std::memory_order_relaxed);
    throw LinkCorrupt(link_, "is damaged, seen by its producer at position " + std::to_string(committed) + ": " + what +
                                 "; a worker wrote over memory that is not its own, or the memory failed");
  }

  std::uint32_t link_;
  const ProducerPage* page_;
};

template <class T>
T copy_from(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

/// Calls `visit(header, payload, end)` for the records from position `from` to `to`, as a predecessor left them.
template <class Visit>
void for_each_record(const RingBytes& ring, std::uint64_t from, std::uint64_t to, const ProducerCheck& check,
                     const Visit& visit) {
  for (std::uint64_t at = from; at != to;) {
    const std::byte* record = ring.at(at);
    const auto header = copy_from<RecordHeader>(record);
    at += record_bytes(header.size);
    check(to - at <= ring.mask, "its records do not end at the write position");
    visit(header, record + sizeof(header), at);
  }
}

}  // namespace pystream::shm
