#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <pystream/detail/item_run.hpp>

#include "base/mutation.hpp"
#include "shm/consumers.hpp"
#include "shm/dealer.hpp"
#include "shm/eviction.hpp"
#include "shm/journal.hpp"
#include "shm/large_area.hpp"
#include "shm/references.hpp"
#include "shm/segment.hpp"
#include "shm/time_bound.hpp"
#include "shm/waiting.hpp"

namespace pystream::shm {

/// What travels with a record.
struct RecordTag {
  std::uint64_t sequence = 0;
  std::uint32_t part = 0;
  std::int64_t entered_ns = 0;
};

/// What a record refers to that has no bytes of its own.
struct ReferTo {
  std::uint64_t link = 0;      ///< upstream, in whose large area the bytes are
  std::uint64_t position = 0;  ///< in that area
  std::uint64_t size = 0;
  std::uint64_t input = 0;  ///< number of the input that must stay until the record is released
};

/// What a run holds, and which sequence numbers from the one of its tag on.
struct RunItems {
  std::uint32_t items = 0;
  std::uint64_t sequences = 0;   ///< as RunHead::sequences
  std::uint8_t closes = 0;       ///< by its last item
  std::uint8_t closes_each = 0;  ///< by each of the others, no more than that
};

using detail::apart;

template <std::size_t kWords>
void store_words(std::byte* to, const std::uint64_t (&words)[kWords]) {
  for (std::uint64_t word : words) {
    word = apart(word);
    std::memcpy(to, &word, sizeof(word));
    to += sizeof(word);
  }
}
inline void store(std::byte* to, const RecordHeader& header) {
  store_words(to, {header.number_and_kind, header.sequence, header.size | std::uint64_t{header.part} << 32,
                   static_cast<std::uint64_t>(header.entered_ns)});
}
inline void store(std::byte* to, const LargePayload& large) {
  store_words(to, {large.position, large.size, large.ordinal, large.reserved});
}

/// The producer's end of a link. Single-threaded. It puts records together and keeps within the room there is; its
/// parts keep the journal, the large area, the consumers' progress, references and, on a link that drops the oldest,
/// the tail. It has many functions because each operation of an output is one of them: no caller knows the parts.
///
/// Where the link deals, each record but the end is for one consumer, and closes one region more (see record_abi.hpp).
/// The record says for whom, and the journal who is next in turn: so what was dealt stays dealt, and a successor goes
/// on behind it. Where branches share the link, each item closes one region more, as each is answered by
/// itself.
///
/// Invariant: the records from what is free up to head_ never span more than the ring.
class RingWriter {
 public:
  /// Takes over from a dead predecessor: starts at the journal entry that matches write_position. What was written
  /// behind it is lost and will be written again. Throws LinkCorrupt if no entry matches.
  /// `key_of`: of a link that is shared by key.
  explicit RingWriter(ProducerEnd end, KeyOf key_of = {});

  /// Room for a payload, contiguous and aligned; nullptr while the link is full. A second call without finish()
  /// gives up the first. Throws ItemTooLarge, Error if the large area gets no memory, or LinkCorrupt.
  [[nodiscard]] std::byte* try_reserve(std::size_t size) {
    if (size <= small_limit_ && head_ + record_bytes(size) <= room_end_ && next_number_ < number_end_) {
      reserved_large_.reset();
      return payload_at_head();
    }
    if (size > small_limit_ && fits_in_front(size)) {
      reserved_large_ = large_.front();
      return large_.front_bytes();
    }
    return try_reserve_further(size);
  }
  /// Makes the first `size` bytes of what try_reserve() gave a record. It stays private until commit().
  /// REQUIRES: size is at most what was reserved.
  void finish(std::size_t size, const RecordTag& tag) {
    if (reserved_large_ && size != 0) {  // an empty item has no bytes to lie anywhere
      finish_large(size, tag);
    } else {
      write_header(RecordKind::item, tag, static_cast<std::uint32_t>(size), 0);
      // Not of the first since a commit: if it stays alone, its reader is close behind.
      if (newest_ != journal_.committed()) {
        detail::prefetch_for_write(ring_.at(head_ + detail::kPrefetchBytes));
      }
    }
    ++outputs_;
  }
  /// Room for `items` payloads of `size` bytes, one behind another: for all of them, or as many as a run or the limit
  /// of items allows; 0 while the link is full. REQUIRES: size is at most run_limit(), and items at most kMostInRun; as
  /// for try_reserve().
  [[nodiscard]] std::uint32_t try_reserve_run(std::size_t size, std::uint32_t items);
  /// Where the first payload of a run goes. It is aligned to kRecordAlign.
  std::byte* run_start() const { return payload_at_head() + sizeof(RunHead); }
  /// Makes the first payloads of the reserved run a record. REQUIRES: `of` has an item, and no more than were reserved;
  /// if this link deals, no item but the last closes anything, as a run is dealt as a whole.
  void finish_run(std::size_t size, const RunItems& of, const RecordTag& tag);
  /// Every record but the end is for one of the consumers alone.
  bool deals() const { return is_dealt(sharing_); }
  bool shared() const { return end_.link.consumers > 1; }
  /// Items up to here may be in runs; 0: none. Those of a run may differ in their keys.
  std::size_t run_limit() const {
    return sharing_ == Sharing::key ? 0 : small_limit_ - std::min(small_limit_, sizeof(RunHead));
  }
  /// A record whose payload stays in a link upstream; false while this link is full. It counts with the payload's size.
  /// Throws ItemTooLarge, or LinkCorrupt. REQUIRES: this link blocks.
  [[nodiscard]] bool try_refer(const ReferTo& to, const RecordTag& tag);
  /// True if some record refers to an input, as far as was seen.
  bool refers() const { return references_.any(); }
  /// Number of the oldest input a record refers to that some consumer has not released. Throws LinkCorrupt.
  std::optional<std::uint64_t> oldest_referred();
  /// A record without payload; false while the link is full.
  [[nodiscard]] bool try_mark(RecordKind kind, const RecordTag& tag, std::uint8_t closes = 0);
  /// Sets `closes` of the newest record. REQUIRES: has_uncommitted().
  void set_closes(std::uint8_t closes);

  bool has_uncommitted() const { return head_ != journal_.committed(); }
  /// Publishes every finished record together with what is done, and wakes the consumers.
  void commit(const Done& done);
  /// Commits inputs that gave no output. REQUIRES: !has_uncommitted(), and only inputs_done changed.
  void commit_inputs_done(std::uint64_t inputs_done);
  /// The commit of a sink, whose link is terminal.
  void commit_terminal(const Done& done);
  /// Throws away what is not committed (an item that failed half-way).
  void rollback();
  /// Throws away the records since `mark` (see mark()).
  using Mark = Written;
  Mark mark() const {
    return {apart(head_),    apart(next_number_), apart(large_.head()), apart(large_.ordinal()),
            apart(outputs_), dealer_.turn()};
  }
  void rollback_to(const Mark& mark);

  /// Waits until there may be more room: spins for `spin_ns`, then sleeps up to `timeout_ns`.
  void wait(std::int64_t spin_ns, std::int64_t timeout_ns) {
    wait(room(), {.spin_ns = spin_ns, .timeout_ns = timeout_ns});
  }
  /// As wait(), for a caller that has looked at the consumer for another reason since there was no room: `since` is
  /// room() of that moment.
  void wait(const Watched& since, const Patience& patience);
  /// What changes when there is more room, or when less is referred to.
  Watched room() const { return consumers_.release(); }
  /// Has the consumers release at once what they keep for others, from now until cease_to_ask(). A writer that has no
  /// room asks by itself.
  void ask_for_room() { consumers_.request_release(); }
  void cease_to_ask() { consumers_.withdraw_request(); }
  /// True if the consumers have taken all that was committed.
  bool empty() const { return consumers_.released_all(journal_.committed()); }

  /// The journal as found at the start or as committed last.
  const JournalEntry& journal() const { return journal_.entry(); }
  /// Of the same entry: how far the segment was in each of several links, and whose turn it was.
  std::span<const std::uint64_t> journal_input_numbers() const { return journal_.input_numbers(); }
  std::uint32_t journal_collect_turn() const { return small_number_in(journal().flags, kJournalCollectShift); }
  const LinkEntry& link() const { return end_.link; }
  std::uint64_t next_number() const { return next_number_; }
  std::uint64_t outputs() const { return outputs_; }
  Overflow overflow() const { return static_cast<Overflow>(end_.link.overflow); }
  /// From here on the link holds as much as fits. For a caller that does not wait while the link is full: the time
  /// bound learns from waiting.
  void lift_time_bound();
  /// An item was thrown away because there was no room.
  void count_dropped();
  /// Items with a smaller number are done by every consumer.
  std::uint64_t done_number() const { return consumers_.done_number(); }
  /// Consumers that items are for.
  std::uint32_t takers() const { return shm::takers(end_.link); }
  /// Records that some consumer is not done with, committed or not.
  std::uint64_t items_inside() const { return next_number_ - consumers_.done_number(); }

 private:
  /// What one more record takes of the link.
  struct Need {
    std::uint64_t ring = 0;  ///< bytes
    std::size_t large = 0;   ///< bytes; 0: it is not large
  };
  std::byte* payload_at_head() const { return ring_.at(head_) + sizeof(RecordHeader); }
  bool fits_in_front(std::size_t size) const;
  [[nodiscard]] std::byte* try_reserve_further(std::size_t size);
  bool has_room(Need need);
  bool make_room(Need need);
  bool fits(Need need, const Freed& freed) const;
  bool within_limits(bool large, const Freed& freed) const;
  void look_at_consumers();
  /// Looks at the consumers, and adapts the time bound to what they have done.
  void learn();
  bool any_dry() const;
  std::uint64_t items_limit() const;
  std::uint64_t room_for_run(std::uint64_t most);
  void set_room();
  void finish_large(std::size_t size, const RecordTag& tag);
  void write_header(RecordKind kind, const RecordTag& tag, std::uint32_t payload, std::uint8_t closes);
  void share(RecordHeader& header);
  void deal(RecordHeader& header);
  Dealer::Dealt about_to_deal(const RecordHeader& header) const;

  ProducerEnd end_;
  ProducerCheck check_;
  RingBytes ring_;
  std::size_t small_limit_;  ///< larger payloads go to the large area
  Journal journal_;
  LargeArea large_;
  Consumers consumers_;
  Sharing sharing_;
  Dealer dealer_;
  TimeBound bound_;
  std::optional<Eviction> eviction_;  ///< on a link that drops the oldest
  References references_;
  std::uint64_t head_ = 0;
  std::uint64_t newest_ = 0;  ///< position of the newest finished record
  std::uint64_t next_number_ = 0;
  std::uint64_t outputs_ = 0;
  Consumers::Set dealt_to_ = 0;  ///< for whom there are records since the last commit
  Freed freed_;
  std::uint64_t room_end_ = 0;                   ///< head_ may go so far, by what was seen last
  std::uint64_t number_end_ = 0;                 ///< next_number_ must stay below
  std::optional<std::uint64_t> reserved_large_;  ///< position of the reservation in work, if it is in the large area
};

/// The consumers have released every large item, so that the next one may lie at the front of the large area, which is
/// warm; and the ring has room for its record by what was seen last. False where that does not settle it.
inline bool RingWriter::fits_in_front(std::size_t size) const {
  return large_.front_has_memory(size) && size <= end_.link.item_limit && !eviction_ && !consumers_.requests() &&
         head_ + record_bytes(sizeof(LargePayload)) <= room_end_ && next_number_ < number_end_ &&
         (consumers_.released_large(large_.ordinal()) || base::mutated(base::Mutation::take_front_in_use));
}

inline void RingWriter::write_header(RecordKind kind, const RecordTag& tag, std::uint32_t payload,
                                     std::uint8_t closes) {
  RecordHeader header{.number_and_kind = pack_header_word(next_number_, kind, closes),
                      .sequence = tag.sequence,
                      .size = payload,
                      .part = tag.part,
                      .entered_ns = tag.entered_ns};
  if (sharing_ != Sharing::every) [[unlikely]] {
    share(header);
  }
  store(ring_.at(head_), header);
  newest_ = head_;
  head_ += record_bytes(payload);
  ++next_number_;
}

inline void RingWriter::finish_large(std::size_t size, const RecordTag& tag) {
  const std::uint64_t head = large_.head();
  const std::uint64_t ordinal = large_.ordinal();
  store(payload_at_head(), large_.take(*reserved_large_, size));
  try {
    write_header(RecordKind::large_item, tag, sizeof(LargePayload), 0);
  } catch (...) {  // the item has no key
    large_.rollback_to(head, ordinal);
    throw;
  }
}

}  // namespace pystream::shm
