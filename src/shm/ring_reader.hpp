#pragma once

#include <cstddef>
#include <cstdint>
#include <pystream/error.hpp>
#include <span>

#include "shm/segment.hpp"

namespace pystream::shm {

/// What a reader found in a link is nothing a producer can have written: its memory was damaged.
class LinkCorrupt : public Error {
 public:
  using Error::Error;
};

/// A record whose header was copied and checked; the payload is read-only memory that stays until release().
struct Record {
  RecordKind kind = RecordKind::invalid;
  std::uint8_t closes = 0;  ///< see RecordHeader
  std::uint64_t number = 0;
  std::uint64_t sequence = 0;
  std::uint32_t part = 0;
  std::int64_t entered_ns = 0;
  std::span<const std::byte> payload;
};

/// The consumer's end of a link. Single-threaded. Nothing read from the link is used before it was checked against
/// what this side knows by itself: the expected number, what was published, the sizes of ring and large area.
///
/// On a link that drops the oldest a record may be overwritten while it is read. So it is copied to the inbox, and
/// counts only if the producer's tail has not passed it meanwhile; one record is in hand at a time.
class RingReader {
 public:
  /// `inputs_done`: the journal's word on which records are done; they are skipped and released (a predecessor may
  /// have died between its commit and its release). Throws LinkCorrupt.
  RingReader(ConsumerEnd end, std::uint64_t inputs_done);

  /// The next record, or nullptr if nothing more is published. Valid until the next call. Throws LinkCorrupt.
  const Record* try_peek();
  /// Steps over the record that try_peek() gave.
  void advance();
  /// A place between records.
  struct Mark {
    std::uint64_t position = 0;
    std::uint64_t number = 0;
    std::uint64_t large_end = 0;
    std::uint64_t large_ordinal = 0;
  };
  Mark mark() const { return {position_, number_, large_end_, large_ordinal_}; }
  /// Gives everything before `mark` back to the producer and wakes it if it waits and there is worthwhile room.
  void release(const Mark& mark);
  void release() { release(mark()); }
  bool has_unreleased() const { return position_ != released_; }
  std::uint64_t unreleased_bytes() const { return position_ - released_; }

  /// Waits until there may be more to read: spins for `spin_ns`, then sleeps up to `timeout_ns`.
  void wait(std::int64_t spin_ns, std::int64_t timeout_ns);

  /// True on a link that drops the oldest: every record must be done before the next is looked at.
  bool one_at_a_time() const { return end_.inbox != nullptr; }
  std::uint64_t next_number() const { return number_; }
  /// Number behind the newest published record.
  std::uint64_t published_number() const { return end_.peer->written_number.load(std::memory_order_relaxed); }
  const LinkEntry& link() const { return end_.link; }

 private:
  void check(bool holds, const char* what) const;
  void take_over(std::uint64_t inputs_done);
  void take_over_inbox(std::uint64_t inputs_done);
  const Record* try_claim();
  bool overrun();
  void copy_to_inbox();
  const Record* parse(std::uint64_t left);
  Inbox& inbox() const { return *reinterpret_cast<Inbox*>(end_.inbox); }
  void read_large(const std::byte* at);

  ConsumerEnd end_;
  std::uint64_t mask_;
  std::uint64_t position_ = 0;
  std::uint64_t released_ = 0;
  std::uint64_t number_ = 0;
  std::uint64_t seen_written_ = 0;
  std::uint64_t large_end_ = 0;      ///< of the newest large payload stepped over
  std::uint64_t large_ordinal_ = 0;  ///< of the next one
  std::uint64_t ended_sleep_ = 0;
  bool in_hand_ = false;  ///< the inbox holds a record that is not done
  std::uint64_t inbox_populated_ = 0;
  // The record in hand.
  Record record_;
  std::uint64_t record_bytes_ = 0;
  std::uint64_t record_large_end_ = 0;
};

}  // namespace pystream::shm
