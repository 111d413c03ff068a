#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>

#include "shm/link_corrupt.hpp"
#include "shm/segment.hpp"
#include "shm/waiting.hpp"

namespace pystream::shm {

inline constexpr std::uint64_t kNumberMask = (std::uint64_t{1} << 48) - 1;

/// Where a large payload lies.
struct LargePlace {
  std::uint64_t link = 0;      ///< in whose large area
  std::uint64_t position = 0;  ///< in that area
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
  LargePlace place{};  ///< if it is large

  /// The payload is in a large area, this link's or one upstream.
  bool large() const { return kind == RecordKind::large_item || kind == RecordKind::reference; }
};

/// The consumer's end of a link. Single-threaded. Nothing read from the link is used before it was checked against
/// what this side knows by itself: the expected number, what was published, the sizes of ring and large area.
///
/// A large record whose payload this worker's output refers to is stepped over but not released; its bytes, and all
/// that came after it, stay.
///
/// On a link that drops the oldest a record may be overwritten while it is read. So it is copied to the inbox, and
/// counts only if the producer's tail has not passed it meanwhile; one record is in hand at a time.
class RingReader {
 public:
  /// `inputs_done`: the journal's word on which records are done; they are skipped and released (a predecessor may
  /// have died between its commit and its release), but for those from number `referred` on. Throws LinkCorrupt.
  RingReader(ConsumerEnd end, std::uint64_t inputs_done, std::optional<std::uint64_t> referred = {});

  /// The next record, or nullptr if nothing more is published. Valid until the next call. Throws LinkCorrupt.
  const Record* try_peek() {
    if (position_ == seen_written_ || end_.inbox != nullptr) {
      return try_peek_further();
    }
    return parse(seen_written_ - position_);
  }
  /// Steps over the record that try_peek() gave.
  void advance() {
    if (record_.kind != RecordKind::item || end_.inbox != nullptr) {
      advance_special();
    }
    position_ = next_position_;
    ++number_;
  }
  /// How many of the next `limit` records are published plain items of `size` bytes outside any row for which
  /// `take(index, sequence, entered_ns)` is true. They lie at equal distances. What ends the run, be it damage, is for
  /// try_peek(). REQUIRES: !one_at_a_time().
  template <class Take>
  std::uint32_t try_run(std::size_t size, std::uint32_t limit, const Take& take);
  /// The header of the next record. REQUIRES: try_run() found one.
  const std::byte* run_start() const { return end_.ring + (position_ & mask_); }
  /// Steps over `items` of what try_run() found.
  void advance_run(std::size_t items, std::size_t size) {
    position_ += items * (sizeof(RecordHeader) + round_up(size, kRecordAlign));
    number_ += items;
  }
  /// From here on large records may be referred to, as release() has it. REQUIRES: no record is in hand.
  void remember_large() { remembers_large_ = true; }
  /// A place between records.
  struct Mark {
    std::uint64_t position = 0;
    std::uint64_t number = 0;
    std::uint64_t large_end = 0;
    std::uint64_t large_ordinal = 0;
  };
  Mark mark() const { return {position_, number_, large_end_, large_ordinal_}; }
  /// Gives everything before `mark` back to the producer and wakes it if it waits and there is worthwhile room. From
  /// the large record with number `referred` on nothing is given back: somebody downstream still reads its payload.
  /// REQUIRES: remember_large(), if something is referred to.
  void release(const Mark& mark, std::optional<std::uint64_t> referred = {});
  void release() { release(mark()); }
  bool has_unreleased() const { return position_ != released_; }
  std::uint64_t unreleased_bytes() const { return position_ - released_; }

  /// Waits until there may be more to read: spins for `spin_ns`, then sleeps up to `timeout_ns`.
  void wait(std::int64_t spin_ns, std::int64_t timeout_ns) {
    wait_for_change(more(), {.spin_ns = spin_ns, .timeout_ns = timeout_ns});
  }
  /// What changes when there is more to read.
  Watched more() { return {.position = end_.peer->write_position, .sleeps = end_.own->sleeps, .seen = position_}; }

  /// True on a link that drops the oldest: every record must be done before the next is looked at.
  bool one_at_a_time() const { return end_.inbox != nullptr; }
  std::uint64_t next_number() const { return number_; }
  /// Number behind the newest published record.
  std::uint64_t published_number() const { return end_.peer->written_number.load(std::memory_order_relaxed); }
  const LinkEntry& link() const { return end_.link; }

 private:
  void check(bool holds, const char* what) const {
    if (!holds) [[unlikely]] {
      fail(what);
    }
  }
  [[noreturn]] void fail(const char* what) const;
  void take_over(std::uint64_t inputs_done, std::optional<std::uint64_t> referred);
  void take_over_inbox(std::uint64_t inputs_done);
  const Record* try_claim();
  bool overrun();
  void copy_to_inbox();
  const Record* try_peek_further();
  bool look_at_producer();
  const Record* parse(std::uint64_t left);
  const Record* parse_special(const std::byte* at, std::uint64_t number_and_kind, std::uint64_t left);
  void advance_special();
  bool stays_full(const Mark& mark) const;
  Inbox& inbox() const { return *reinterpret_cast<Inbox*>(end_.inbox); }
  void read_place(const std::byte* at);
  void read_large();
  void read_reference(const std::byte* at);

  ConsumerEnd end_;
  std::uint64_t mask_;
  std::uint64_t large_mask_;
  std::uint64_t position_ = 0;
  std::uint64_t released_ = 0;
  std::uint64_t number_ = 0;
  std::uint64_t seen_written_ = 0;
  std::uint64_t large_end_ = 0;      ///< of the newest large payload stepped over
  std::uint64_t large_ordinal_ = 0;  ///< of the next one
  std::uint64_t ended_sleep_ = 0;
  bool in_hand_ = false;  ///< the inbox holds a record that is not done
  std::uint64_t inbox_populated_ = 0;
  bool remembers_large_;
  std::deque<Mark> large_marks_;  ///< in front of each large record that was stepped over and is not released
  // The record in hand.
  Record record_;
  std::uint64_t next_position_ = 0;  ///< behind it
  LargePayload record_large_{};
};

/// One load a word: the compiler must not read a checked value a second time from memory that others may change.
inline std::uint64_t load_once(const std::byte* at) {
  return __atomic_load_n(reinterpret_cast<const std::uint64_t*>(at), __ATOMIC_RELAXED);
}

/// Copies and checks the header at position_, `left` bytes before the write position. In line: a plain item is all
/// that most links ever carry.
inline const Record* RingReader::parse(std::uint64_t left) {
  const std::byte* at = end_.ring + (position_ & mask_);
  const std::uint64_t number_and_kind = load_once(at);
  const std::uint64_t size_and_part = load_once(at + 16);
  const auto size = static_cast<std::uint32_t>(size_and_part);
  const std::uint64_t bytes = sizeof(RecordHeader) + round_up(size, kRecordAlign);
  next_position_ = position_ + bytes;
  record_.kind = static_cast<RecordKind>((number_and_kind >> 48) & 0xff);
  record_.closes = static_cast<std::uint8_t>(number_and_kind >> 56);
  record_.number = number_;
  record_.sequence = load_once(at + 8);
  record_.part = static_cast<std::uint32_t>(size_and_part >> 32);
  record_.entered_ns = static_cast<std::int64_t>(load_once(at + 24));
  record_.payload = {at + sizeof(RecordHeader), size};
  const bool as_expected = ((number_and_kind ^ number_) & kNumberMask) == 0 && bytes <= left;
  if (!as_expected || record_.kind != RecordKind::item) [[unlikely]] {
    return parse_special(at, number_and_kind, left);
  }
  return &record_;
}

template <class Take>
std::uint32_t RingReader::try_run(std::size_t size, std::uint32_t limit, const Take& take) {
  if (position_ == seen_written_ && !look_at_producer()) {
    return 0;
  }
  const std::uint64_t stride = sizeof(RecordHeader) + round_up(size, kRecordAlign);
  const std::uint64_t published = (seen_written_ - position_) / stride;
  const std::uint32_t most = published < limit ? static_cast<std::uint32_t>(published) : limit;
  const std::byte* at = end_.ring + (position_ & mask_);
  std::uint64_t expected = (number_ & kNumberMask) | (std::uint64_t{static_cast<std::uint8_t>(RecordKind::item)} << 48);
  for (std::uint32_t i = 0; i < most; ++i, ++expected, at += stride) {
    if (load_once(at) != expected || static_cast<std::uint32_t>(load_once(at + 16)) != size ||
        !take(i, load_once(at + 8), static_cast<std::int64_t>(load_once(at + 24)))) {
      return i;
    }
  }
  return most;
}

}  // namespace pystream::shm
