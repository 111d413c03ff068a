#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "shm/record.hpp"
#include "shm/ring_abi.hpp"

namespace pystream::shm {

/// Where the consumer of a link that drops the oldest keeps its copy of the record in hand.
class InboxCopy {
 public:
  /// `bytes`: of the inbox; nullptr: this link has none.
  InboxCopy(std::byte* inbox, std::uint64_t bytes) : inbox_(inbox), bytes_(bytes) {}

  bool exists() const { return inbox_ != nullptr; }
  struct Claimed {
    Record record;
    std::uint64_t next_position;
  };
  /// What a predecessor claimed and did not do; not validated.
  [[nodiscard]] std::optional<Claimed> try_recover(std::uint64_t inputs_done) const;
  /// Copies `record`, whose payload is the copy then. It counts once it is claimed. REQUIRES: fits().
  void copy(Record& record);
  bool fits(const Record& record) const { return record.payload.size() <= bytes_ - kInboxPayload; }
  /// `next_position`: behind the record in the ring.
  void claim(std::uint64_t number, std::uint64_t next_position) {
    head().next_position = next_position;
    head().claimed.store(number + 1, std::memory_order_release);  // CLAIM
  }

 private:
  Inbox& head() const { return *reinterpret_cast<Inbox*>(inbox_); }

  std::byte* inbox_;
  std::uint64_t bytes_;
  std::uint64_t populated_ = 0;
};

}  // namespace pystream::shm
