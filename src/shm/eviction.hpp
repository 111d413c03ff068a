#pragma once

#include <atomic>
#include <cstdint>

#include "shm/written.hpp"

namespace pystream::shm {

/// The tail of a link that drops the oldest. There the producer owns both ends: what it evicts is free.
///
/// Invariant: the tail passes whole committed records only, and is stored before what it frees is overwritten.
class Eviction {
 public:
  Eviction(ProducerPage& page, const RingBytes& ring) : tail_(&page.tail_position), ring_(ring) {}

  /// After a restart: what lies at the tail follows from the records between it and the write position. `written`: all
  /// of it is committed.
  Freed find_tail(const Written& written, const ProducerCheck& check) const;
  /// Frees the oldest committed record. REQUIRES: there is one.
  void evict_oldest(Freed& freed, const Written& written, std::uint64_t committed, const ProducerCheck& check);

 private:
  std::atomic<std::uint64_t>* tail_;
  RingBytes ring_;
};

}  // namespace pystream::shm
