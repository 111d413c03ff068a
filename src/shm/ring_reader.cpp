#include "shm/ring_reader.hpp"

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>

#include "base/futex.hpp"
#include "base/kill_point.hpp"
#include "base/nap.hpp"

namespace pystream::shm {

RingReader::RingReader(ConsumerEnd end, std::uint64_t inputs_done, std::optional<std::uint64_t> referred)
    : end_(std::move(end)),
      mask_(end_.link.ring_bytes - 1),
      large_(end_.id, end_.link, end_.large, std::move(end_.upstream)),
      remembers_large_(referred.has_value()),
      inbox_(end_.inbox, end_.link.inbox_bytes) {
  position_ = released_ = end_.own->read_position.load(std::memory_order_relaxed);
  check(position_ % kRecordAlign == 0, "the read position is not that of a record");
  if (one_at_a_time()) {
    take_over_inbox(inputs_done);
  } else {
    take_over(inputs_done, referred);
  }
}

void RingReader::take_over(std::uint64_t inputs_done, std::optional<std::uint64_t> referred) {
  large_.go_to(end_.own->large_released.load(std::memory_order_relaxed),
               end_.own->large_ordinal.load(std::memory_order_relaxed));
  // The four were stored one after another, read_position last: a predecessor killed in between leaves the others
  // ahead. The record at read_position tells what they were.
  seen_written_ = end_.peer->write_position.load(std::memory_order_acquire);
  check(position_ <= seen_written_ && seen_written_ - position_ <= end_.link.ring_bytes,
        "the read position is not within what was written");
  number_ = inputs_done;
  if (position_ != seen_written_) {
    number_ = number_in(load_once(ring_at(position_)));
    large_.go_to(large_.end(), kInvalidPosition);
  } else if (deals() && !base::mutated(base::Mutation::forget_stepped_over)) {
    number_ = end_.own->read_number.load(std::memory_order_relaxed);  // some of the last may have been for others
  }
  check(number_ <= inputs_done || deals(), "records were released that were not done");
  while (number_ < inputs_done) {
    const Record* done = try_peek();
    check(done != nullptr && done->number < inputs_done, "records that were done are missing");
    advance();
  }
  if (large_.ordinal() == kInvalidPosition) {
    large_.go_to(large_.end(), end_.own->large_ordinal.load(std::memory_order_relaxed));
  }
  release(mark(), referred);
}

void RingReader::take_over_inbox(std::uint64_t inputs_done) {
  number_ = inputs_done;
  if (const auto claimed = inbox_.try_recover(inputs_done)) {
    number_ = claimed->record.number;
    check(inbox_.fits(claimed->record), "the inbox holds more than it can");
    check(claimed->next_position % kRecordAlign == 0, "the inbox names a position that is not that of a record");
    record_ = claimed->record;
    position_ = claimed->next_position;
    in_hand_ = true;
  }
}

void RingReader::fail(const char* what) const {
  throw LinkCorrupt(end_.id, "is damaged at record " + std::to_string(number_) + ", position " +
                                 std::to_string(position_) + ": " + what +
                                 "; a worker wrote over memory that is not its own, or the memory failed");
}

/// Skips what the producer has overwritten; true if the record at position_ was among it.
bool RingReader::overrun() {
  std::atomic_thread_fence(std::memory_order_seq_cst);  // EVICT: after the copy, before the look
  const std::uint64_t tail = end_.peer->tail_position.load(std::memory_order_acquire);
  if (tail <= position_) {
    return false;
  }
  check(tail % kRecordAlign == 0, "the tail is not the position of a record");
  position_ = tail;
  return true;
}

/// A copy of the next record of a link that drops the oldest.
const Record* RingReader::try_claim() {
  if (in_hand_) {
    return &record_;
  }
  for (;;) {
    overrun();
    const std::uint64_t written = end_.peer->write_position.load(std::memory_order_acquire);
    if (written == position_) {
      return nullptr;
    }
    if (written < position_ || written - position_ > end_.link.ring_bytes) {
      check(overrun(), "impossible write position");
      continue;
    }
    seen_written_ = written;
    const std::uint64_t found = number_in(load_once(ring_at(position_)));
    if (overrun()) {
      continue;
    }
    const std::uint64_t expected = number_;
    number_ = found;
    large_.go_to(large_.end(), kInvalidPosition);
    const Record* record = nullptr;
    try {
      record = parse(written - position_);
      check(inbox_.fits(*record), "it is larger than the link allows");
      inbox_.copy(record_);
    } catch (const LinkCorrupt&) {
      number_ = expected;
      if (overrun()) {
        continue;  // it changed while it was read
      }
      throw;
    }
    number_ = expected;
    if (overrun()) {
      continue;
    }
    position_ = next_position_;
    if (found < expected) {
      continue;  // done by a predecessor that died before it could say so
    }
    ConsumerPage& own = *end_.own;
    own.overrun.store(own.overrun.load(std::memory_order_relaxed) + (found - expected), std::memory_order_relaxed);
    number_ = record_.number = found;
    inbox_.claim(found, position_);
    in_hand_ = true;
    return record;
  }
}

/// True if there is more than was seen. REQUIRES: all that was seen is read.
bool RingReader::look_at_producer() {
  // COMMIT: pairs with the producer's store; the records before it are complete.
  const std::uint64_t written = end_.peer->write_position.load(std::memory_order_acquire);
  if (written == position_) {
    return false;
  }
  check(written - position_ <= end_.link.ring_bytes && written > seen_written_, "impossible write position");
  seen_written_ = written;
  looked_at_ = position_;
  looked_number_ = number_;
  return true;
}

/// Items that the link may hold, as far as its producer says; kInvalidPosition: as many as fit.
std::uint64_t RingReader::items_limit() const {
  const std::uint64_t by_time = end_.peer->time_limit.load(std::memory_order_relaxed);
  const std::uint64_t limit = end_.link.items_limit;
  return std::min(limit != 0 ? limit : kInvalidPosition, by_time != 0 ? by_time : kInvalidPosition);
}

void RingReader::want_at_once(std::uint64_t items) {
  ConsumerPage& own = *end_.own;
  own.wanted_at_once.store(items, std::memory_order_relaxed);
  // The producer may already wait under a lower limit, and nothing may be done before it goes on.
  const std::uint64_t releases = own.releases.load(std::memory_order_relaxed) + 1;
  own.releases.store(releases, std::memory_order_release);
  std::atomic_thread_fence(std::memory_order_seq_cst);  // SLEEP
  if (producer_sleep_.must_wake(end_.peer->asleep_at[end_.index], releases)) {
    base::futex_wake(own.releases);
  }
}

bool RingReader::try_nap() {
  constexpr std::int64_t kNapNs = 20'000;
  const std::uint64_t items = number_ - looked_number_;
  const std::uint64_t bytes = position_ - looked_at_;
  looked_number_ = number_;  // dry after this nap, it sleeps
  if (items < 2 || one_at_a_time() || 2 * bytes > end_.link.ring_bytes || items > items_limit() / 2 ||
      end_.peer->asleep_at[end_.index].load(std::memory_order_relaxed) != 0) {
    return false;
  }
  base::nap(kNapNs);
  return true;
}

bool RingReader::should_release() const {
  constexpr std::uint64_t kShare = 8;  // of a link's room may be kept
  const std::uint64_t items = number_ - end_.own->read_number.load(std::memory_order_relaxed);
  return position_ == seen_written_ || one_at_a_time() || position_ - released_ > end_.link.ring_bytes / kShare ||
         (end_.link.items_limit != 0 && kShare * items > end_.link.items_limit) ||
         large_.end() != end_.own->large_released.load(std::memory_order_relaxed);
}

/// Nothing more is known to be published, or this link drops the oldest.
const Record* RingReader::try_peek_further() {
  if (one_at_a_time()) {
    return try_claim();
  }
  return look_at_producer() ? parse(seen_written_ - position_) : nullptr;
}

/// What is no plain item, or no record at all.
const Record* RingReader::parse_special(std::uint64_t number_and_kind, std::uint64_t left) {
  return read_special(number_and_kind, left) ? &record_ : step_over_dealt();
}

/// The record at position_ is for another consumer, and perhaps more behind it. nullptr: nothing more is published.
const Record* RingReader::step_over_dealt() {
  for (;;) {
    advance_unit();
    if (position_ == seen_written_ && !look_at_producer()) {
      return nullptr;
    }
    const std::uint64_t left = seen_written_ - position_;
    check(left >= sizeof(RecordHeader), "a header is cut off");
    if (read_special(read_header(), left)) {
      return &record_;
    }
  }
}

/// Checks a record that is dealt; true if this consumer is to see it.
bool RingReader::take_dealt(std::uint64_t number_and_kind) {
  const std::uint64_t to = record_.sequence >> kConsumerShift;
  check(deals() && to < takers(end_.link), "it is dealt to a consumer that there is not");
  record_.kind = kind_in(number_and_kind);
  record_.sequence &= kDealtSequenceMask;
  dealt_to_ = static_cast<std::uint32_t>(to);
  return to == end_.index || follows();
}

/// Checks the record whose header was read; false if it is for another consumer.
bool RingReader::read_special(std::uint64_t number_and_kind, std::uint64_t left) {
  check(left >= sizeof(RecordHeader), "a header is cut off");
  check(has_number(number_and_kind, number_), "its number is not the expected one");
  check(next_position_ - position_ <= left, "it is longer than what was written");
  const bool mine = !is_dealt(number_and_kind) || take_dealt(number_and_kind);
  // By itself: large items are the ones here that are passed one by one.
  if (record_.kind == RecordKind::large_item) {
    large_.read(record_, [this](bool holds, const char* what) { check(holds, what); });
  } else {
    read_rare_kind();
  }
  return mine;
}

void RingReader::read_rare_kind() {
  const auto check_that = [this](bool holds, const char* what) { check(holds, what); };
  switch (record_.kind) {
    case RecordKind::item:
      break;
    case RecordKind::reference:
      large_.read_reference(record_, check_that);
      break;
    case RecordKind::run:
      check(!one_at_a_time(), "a run of items is on a link that drops the oldest");
      run_.enter(record_, end_.link.item_limit, check_that);
      record_ = run_.item(number_);
      break;
    case RecordKind::tombstone:
    case RecordKind::end:
      check(record_.payload.empty(), "a mark has a payload");
      break;
    default:
      check(false, "it is of no known kind");
  }
}

/// More than three quarters of the bytes, or half of the items, are still to be done. Counts are hints; once all that
/// was seen is done the answer is no, whatever they say.
bool RingReader::stays_full(const Mark& mark) const {
  const LinkEntry& link = end_.link;
  const std::uint64_t bytes = seen_written_ - mark.position;
  const std::uint64_t items = published_number() - mark.done;
  const std::uint64_t large = end_.peer->large_written.load(std::memory_order_relaxed) - mark.large_ordinal;
  return bytes != 0 && (bytes > link.ring_bytes / 4 * 3 || items > items_limit() / 2 || large > link.large_limit / 2);
}

/// `referred`: kInvalidPosition if nothing is.
void RingReader::release_up_to(const Mark& until, std::uint64_t referred) {
  Mark mark = until;
  const std::uint64_t limit = std::min(referred, mark.number);
  while (!large_marks_.empty() && large_marks_.front().number < limit) {
    large_marks_.pop_front();
  }
  if (limit < mark.number) {
    check(!large_marks_.empty() && large_marks_.front().number == limit,
          "a large item was released while somebody downstream may read it");
    mark = large_marks_.front();
  }
  base::kill_point(base::KillPoint::before_release);
  ConsumerPage& own = *end_.own;
  own.done_number.store(until.done, std::memory_order_relaxed);
  own.done_large.store(until.large_ordinal, std::memory_order_relaxed);
  own.read_number.store(mark.number, std::memory_order_relaxed);
  // The producer may act on these two before it sees read_position.
  own.large_released.store(mark.large_end, std::memory_order_release);
  own.large_ordinal.store(mark.large_ordinal, std::memory_order_release);
  // RELEASE: this side's last use of the bytes before the mark is over.
  own.read_position.store(mark.position, std::memory_order_release);
  const std::uint64_t releases = own.releases.load(std::memory_order_relaxed) + 1;
  own.releases.store(releases, std::memory_order_release);
  released_ = mark.position;
  base::kill_point(base::KillPoint::before_room);
  if (one_at_a_time()) {
    return;  // the producer never waits
  }
  if (stays_full(until)) {
    return;  // a producer that wakes now would sleep again after a few records
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);  // SLEEP
  if (producer_sleep_.must_wake(end_.peer->asleep_at[end_.index], releases)) {
    base::futex_wake(own.releases);
  }
}

}  // namespace pystream::shm
