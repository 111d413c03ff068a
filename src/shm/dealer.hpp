#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <vector>

#include "shm/consumers.hpp"
#include "shm/ring_abi.hpp"
#include "shm/written.hpp"

namespace pystream::shm {

/// The same number for all items of one key. What it throws comes out of RingWriter::finish(), and the item is not
/// written.
using KeyOf = std::function<std::uint64_t(std::span<const std::byte> item)>;

/// The consumer, of so many, for which items of a key are.
std::uint32_t taker_of_key(std::uint64_t key, std::uint32_t takers);

/// Chooses for which consumer of a link that deals each record is. The choice is committed with the record, so a
/// successor need not repeat it.
class Dealer {
 public:
  /// `key_of`: of a link that is shared by key.
  Dealer(Sharing sharing, std::uint32_t takers, KeyOf key_of);

  /// A record before it is dealt.
  struct Dealt {
    std::uint64_t number = 0;  ///< of its first item
    std::uint32_t items = 0;   ///< 0: a mark
    std::span<const std::byte> payload{};
  };
  std::uint32_t deal(const Dealt& record, const Consumers& consumers);

  /// The consumer that is next in turn: for the journal.
  std::uint32_t turn() const { return turn_; }
  /// The records from `number` on never happened.
  void rollback_to(std::uint32_t turn, std::uint64_t number);
  /// Learns what a predecessor dealt in the records from position `from` to `to`.
  void find(const RingBytes& ring, std::uint64_t from, std::uint64_t to, const ProducerCheck& check);

 private:
  /// Items that one consumer was dealt in one record.
  struct Unit {
    std::uint64_t end = 0;  ///< number behind its last item
    std::uint32_t items = 0;
  };
  /// What a consumer was dealt and is not done with, as far as was seen.
  struct Load {
    std::deque<Unit> units;
    std::uint64_t items = 0;
  };
  std::uint32_t least_loaded(const Consumers& consumers);
  void add(std::uint32_t to, const Dealt& record);
  std::uint32_t behind(std::uint32_t consumer) const { return consumer + 1 == takers_ ? 0 : consumer + 1; }

  Sharing sharing_;
  std::uint32_t takers_;
  KeyOf key_of_;
  std::uint32_t turn_ = 0;
  std::vector<Load> loads_;  ///< of each consumer, where the least loaded is asked for
};

}  // namespace pystream::shm
