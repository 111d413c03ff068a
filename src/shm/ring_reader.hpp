#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <pystream/detail/item_run.hpp>

#include "base/mutation.hpp"
#include "shm/inbox.hpp"
#include "shm/large_items.hpp"
#include "shm/link_corrupt.hpp"
#include "shm/record.hpp"
#include "shm/run_cursor.hpp"
#include "shm/segment.hpp"
#include "shm/waiting.hpp"

namespace pystream::shm {

using detail::apart;

/// The consumer's end of a link. Single-threaded. Nothing read from the link is used before it was checked against
/// what this side knows by itself: the expected number, what was published, the sizes of ring and large area.
///
/// A large record whose payload this worker's output refers to is stepped over but not released; its bytes, and all
/// that came after it, stay.
///
/// On a link that deals, this end steps over what is for other consumers as if it were not there. What it has stepped
/// over and released was either done or for others, so a successor may begin there; its journal does not say so. The
/// end that follows the dealing is given every record, with whom it is for.
///
/// On a link that drops the oldest a record may be overwritten while it is read. So it is copied to the inbox, and
/// counts only if the producer's tail has not passed it meanwhile; one record is in hand at a time.
class RingReader {
 public:
  /// `inputs_done`: the journal's word on which records are done; they are skipped and released (a predecessor may
  /// have died between its commit and its release), but for those from number `referred` on. Throws LinkCorrupt.
  RingReader(ConsumerEnd end, std::uint64_t inputs_done, std::optional<std::uint64_t> referred = {});

  /// The next record, or nullptr if nothing more is published; each item of a run as if it were a record of its own.
  /// Valid until the next call. Throws LinkCorrupt.
  const Record* try_peek() {
    if (run_.inside()) {
      record_ = run_.item(number_);
      return &record_;
    }
    if (position_ == seen_written_ || inbox_.exists()) {
      return try_peek_further();
    }
    return parse(seen_written_ - position_);
  }
  /// Steps over the record that try_peek() gave.
  void advance() {
    if (run_.inside()) {
      step_in_run(1);
      return;
    }
    if (record_.kind != RecordKind::item || inbox_.exists()) {
      advance_special();
    }
    position_ = next_position_;
    ++number_;
  }
  /// As many of the next `limit` items as are published, of `size` bytes and, but for the last of a run, closing
  /// nothing, if they lie at equal distances, entered together, came of different inputs and are the same part of them;
  /// of sequence numbers from the first one's, s, on only the next `ahead(s, most)`. What ends them is for try_peek().
  /// Throws LinkCorrupt. REQUIRES: !one_at_a_time(); limit is at most kMostInRun.
  template <class Ahead>
  [[nodiscard]] FoundItems try_items(std::size_t size, std::uint32_t limit, const Ahead& ahead);
  /// Steps over the first `items` of what try_items() found. REQUIRES: nothing was stepped over in between.
  void advance_items(std::uint32_t items) {
    if (run_.inside()) {
      step_in_run(items);
    } else {
      position_ += items * (next_position_ - position_);
      number_ += items;
    }
  }
  /// From here on large records may be referred to, as release() has it. REQUIRES: no record is in hand.
  void remember_large() { remembers_large_ = true; }
  /// A place between records, or in a run.
  struct Mark {
    std::uint64_t position = 0;  ///< of the record behind it, or of the run
    std::uint64_t number = 0;    ///< of that record, or of the run's first item
    std::uint64_t done = 0;      ///< items with a smaller number are done
    std::uint64_t large_end = 0;
    std::uint64_t large_ordinal = 0;
  };
  Mark mark() const {
    return {apart(position_), apart(number_ - run_.stepped()), apart(number_), apart(large_.end()),
            apart(large_.ordinal())};
  }
  /// Gives everything before `mark` back to the producer and wakes it if it waits and there is worthwhile room. From
  /// the large record with number `referred` on nothing is released: a worker downstream still reads its payload.
  /// REQUIRES: remember_large(), if something is referred to.
  void release(const Mark& mark, std::optional<std::uint64_t> referred = {}) {
    // Not as an optional: one that is empty has only its flag stored, and to pass it loads both words, which waits.
    release_up_to(mark, referred.value_or(kInvalidPosition));
  }
  void release() { release(mark()); }
  bool has_unreleased() const { return position_ != released_ || run_.stepped() != 0; }

  /// Between wait()s of a reader that keeps up with a busy producer: sleeps a short, fixed time instead, so that the
  /// producer, which finds no sleeper, need not wake it (a wake-up costs as much as many items). False, at once, if
  /// that does not pay: the last look found fewer than two records, or the producer would fill the link meanwhile, or
  /// waits for room. A reader that naps is only slow as far as the protocol of waiting.hpp is concerned.
  /// REQUIRES: nothing more is there; what was stepped over is released.
  bool try_nap();
  /// Tells the producer that this reader may need this many items before it is done with the first of them: a time
  /// bound allows as many.
  void want_at_once(std::uint64_t items);
  /// True if the producer may soon lack the room of what was stepped over, or nothing more is known to be there.
  bool should_release() const;

  /// Waits until there may be more to read: spins for `spin_ns`, then sleeps up to `timeout_ns`.
  void wait(std::int64_t spin_ns, std::int64_t timeout_ns) {
    wait_for_change(more(), {.spin_ns = spin_ns, .timeout_ns = timeout_ns});
  }
  /// What changes when there is more to read.
  Watched more() {
    return {.word = end_.peer->write_position,
            .asleep_at = end_.own->asleep_at,
            .seen = position_,
            .announced = asleep_on(position_),
            .bits = end_.link.consumers > 1 ? wake_bit(end_.index) : base::kEverySleeper};
  }

  /// What changes when the producer begins or ceases to lack room; odd if it does. See ProducerPage::release_requested.
  /// It is waited for together with more().
  Watched release_request() {
    const std::atomic<std::uint64_t>& request = end_.peer->release_requested;
    return {.word = request,
            .asleep_at = end_.own->asleep_at,
            .seen = request.load(std::memory_order_acquire),
            .announced = asleep_on(position_)};
  }

  /// Every record but the end is for one consumer of the link alone.
  bool deals() const { return is_dealt(static_cast<Sharing>(end_.link.sharing)); }
  /// This end is no taker: it follows the dealing.
  bool follows() const { return end_.index >= takers(end_.link); }
  /// The consumer that the record in hand is for. REQUIRES: follows(); try_peek() gave one that is not the end.
  std::uint32_t dealt_to() const { return dealt_to_; }
  /// Steps over the record in hand as a whole; of a run, over all its items. REQUIRES: none of them was stepped over.
  void advance_unit() {
    if (run_.inside()) {
      step_in_run(run_.items());
    } else {
      advance();
    }
  }
  /// The link has further consumers.
  bool shared() const { return end_.link.consumers > 1; }
  /// True on a link that drops the oldest: every record must be done before the next is looked at.
  bool one_at_a_time() const { return inbox_.exists(); }
  std::uint64_t next_number() const { return number_; }
  /// Number behind the newest published record.
  std::uint64_t published_number() const { return end_.peer->written_number.load(std::memory_order_relaxed); }
  const LinkEntry& link() const { return end_.link; }
  std::uint32_t id() const { return end_.id; }

 private:
  void check(bool holds, const char* what) const {
    if (!holds) [[unlikely]] {
      fail(what);
    }
  }
  [[noreturn]] void fail(const char* what) const;
  const std::byte* ring_at(std::uint64_t position) const { return end_.ring + (position & mask_); }
  void take_over(std::uint64_t inputs_done, std::optional<std::uint64_t> referred);
  void take_over_inbox(std::uint64_t inputs_done);
  [[nodiscard]] const Record* try_claim();
  bool overrun();
  [[nodiscard]] const Record* try_peek_further();
  bool look_at_producer();
  const Record* parse(std::uint64_t left);
  std::uint64_t read_header();
  const Record* parse_special(std::uint64_t number_and_kind, std::uint64_t left);
  bool read_special(std::uint64_t number_and_kind, std::uint64_t left);
  bool take_dealt(std::uint64_t number_and_kind);
  const Record* step_over_dealt();
  [[gnu::noinline]] void read_rare_kind();
  void advance_special();
  void step_in_run(std::uint32_t items);
  void release_up_to(const Mark& until, std::uint64_t referred);
  bool stays_full(const Mark& mark) const;
  std::uint64_t items_limit() const;

  ConsumerEnd end_;
  std::uint64_t mask_;
  std::uint64_t position_ = 0;
  std::uint64_t released_ = 0;
  std::uint64_t number_ = 0;
  std::uint64_t seen_written_ = 0;
  std::uint64_t looked_at_ = 0;      ///< position_ when seen_written_ last changed
  std::uint64_t looked_number_ = 0;  ///< number_ then
  EndedSleep producer_sleep_;
  LargeItems large_;
  bool remembers_large_;
  std::deque<Mark> large_marks_;  ///< in front of each large record that was stepped over and is not released
  InboxCopy inbox_;
  bool in_hand_ = false;             ///< the inbox holds a record that is not done
  Record record_;                    ///< in hand
  std::uint32_t dealt_to_ = 0;       ///< of the record in hand, on a link that deals
  std::uint64_t next_position_ = 0;  ///< behind the record in hand, or behind the run it is in
  RunCursor run_;                    ///< the run at position_, which stays until all of it is stepped over
};

/// Copies the header at position_; its first word.
inline std::uint64_t RingReader::read_header() {
  const std::byte* at = ring_at(position_);
  const std::uint64_t number_and_kind = load_once(at);
  const std::uint64_t size_and_part = load_once(at + 16);
  const auto size = static_cast<std::uint32_t>(size_and_part);
  next_position_ = position_ + record_bytes(size);
  record_.kind = plain_kind_in(number_and_kind);
  record_.closes = closes_in(number_and_kind);
  record_.number = number_;
  record_.sequence = load_once(at + 8);
  record_.part = static_cast<std::uint32_t>(size_and_part >> 32);
  record_.entered_ns = static_cast<std::int64_t>(load_once(at + 24));
  record_.payload = {at + sizeof(RecordHeader), size};
  return number_and_kind;
}

/// Copies and checks the header at position_, `left` bytes before the write position. In line: a plain item is all
/// that most links ever carry.
inline const Record* RingReader::parse(std::uint64_t left) {
  const std::uint64_t number_and_kind = read_header();
  const bool as_expected = has_number(number_and_kind, number_) && next_position_ - position_ <= left;
  if (!as_expected || record_.kind != RecordKind::item) [[unlikely]] {
    return parse_special(number_and_kind, left);
  }
  return &record_;
}

inline void RingReader::advance_special() {
  if (one_at_a_time()) {
    in_hand_ = false;
    next_position_ = position_;  // it moved when the record was claimed
  } else if (record_.large()) {
    if (remembers_large_) [[unlikely]] {
      large_marks_.push_back(mark());
    }
    large_.step();
  }
}

inline void RingReader::step_in_run(std::uint32_t items) {
  run_.step(items);
  number_ += items;
  if (!run_.inside() || base::mutated(base::Mutation::release_within_run)) {
    position_ = next_position_;
    run_.leave();
  }
}

template <class Ahead>
FoundItems RingReader::try_items(std::size_t size, std::uint32_t limit, const Ahead& ahead) {
  const Record* first = limit != 0 ? try_peek() : nullptr;
  if (first == nullptr || first->kind != RecordKind::item || first->payload.size() != size ||
      (first->closes != 0 && !run_.inside())) {
    return {};
  }
  if (run_.inside()) {
    return run_.find(limit, ahead);
  }
  FoundItems found{.payload = first->payload.data(),
                   .step = next_position_ - position_,
                   .sequence = first->sequence,
                   .entered_ns = first->entered_ns,
                   .part = first->part};
  const std::uint32_t span = ahead(first->sequence, limit == 1 ? 1 : kRunBits);
  const std::uint64_t published = (seen_written_ - position_) / found.step;
  const std::byte* at = ring_at(position_);
  std::uint64_t expected = pack_header_word(number_, RecordKind::item, 0);
  const std::uint64_t size_and_part = size | std::uint64_t{first->part} << 32;
  for (std::uint64_t next = 0; found.items < std::min<std::uint64_t>(limit, published); at += found.step, ++expected) {
    const std::uint64_t bit = load_once(at + 8) - found.sequence;
    if (load_once(at) != expected || load_once(at + 16) != size_and_part ||
        static_cast<std::int64_t>(load_once(at + 24)) != found.entered_ns || bit < next || bit >= span) {
      break;
    }
    next = bit + 1;
    found.sequences |= std::uint64_t{1} << bit;
    ++found.items;
  }
  return found;
}

}  // namespace pystream::shm
