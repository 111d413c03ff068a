#include "shm/ring_reader.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/futex.hpp"
#include "base/kill_point.hpp"
#include "base/system_error.hpp"

namespace pystream::shm {
RingReader::RingReader(ConsumerEnd end, std::uint64_t inputs_done, std::optional<std::uint64_t> referred)
    : end_(std::move(end)),
      mask_(end_.link.ring_bytes - 1),
      large_mask_(end_.link.large_bytes - 1),
      remembers_large_(referred.has_value()) {
  position_ = released_ = end_.own->read_position.load(std::memory_order_relaxed);
  check(position_ % kRecordAlign == 0, "the read position is not that of a record");
  if (one_at_a_time()) {
    take_over_inbox(inputs_done);
  } else {
    take_over(inputs_done, referred);
  }
}

void RingReader::take_over(std::uint64_t inputs_done, std::optional<std::uint64_t> referred) {
  large_end_ = end_.own->large_released.load(std::memory_order_relaxed);
  large_ordinal_ = end_.own->large_ordinal.load(std::memory_order_relaxed);
  // The four were stored one after another, read_position last: a predecessor killed in between leaves the others
  // ahead. The record at read_position tells what they were.
  seen_written_ = end_.peer->write_position.load(std::memory_order_acquire);
  check(position_ <= seen_written_ && seen_written_ - position_ <= end_.link.ring_bytes,
        "the read position is not within what was written");
  number_ = inputs_done;
  if (position_ != seen_written_) {
    number_ = number_in(load_once(end_.ring + (position_ & mask_)));
    large_ordinal_ = kInvalidPosition;
  }
  check(number_ <= inputs_done, "records were released that were not done");
  while (number_ < inputs_done) {
    check(try_peek() != nullptr, "records that were done are missing");
    advance();
  }
  if (large_ordinal_ == kInvalidPosition) {
    large_ordinal_ = end_.own->large_ordinal.load(std::memory_order_relaxed);
  }
  release(mark(), referred);
}

void RingReader::take_over_inbox(std::uint64_t inputs_done) {
  number_ = inputs_done;
  const std::uint64_t claimed = inbox().claimed.load(std::memory_order_acquire);
  if (claimed <= inputs_done) {
    return;  // nothing in hand; the next record with this number or a later one counts
  }
  number_ = claimed - 1;
  check(inbox().size <= end_.link.inbox_bytes - kInboxPayload, "the inbox holds more than it can");
  check(inbox().next_position % kRecordAlign == 0, "the inbox names a position that is not that of a record");
  record_ = {.kind = static_cast<RecordKind>(inbox().kind),
             .closes = 0,
             .number = number_,
             .sequence = inbox().sequence,
             .part = static_cast<std::uint32_t>(inbox().part),
             .entered_ns = inbox().entered_ns,
             .payload = {end_.inbox + kInboxPayload, inbox().size}};
  position_ = inbox().next_position;
  in_hand_ = true;
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
    const std::uint64_t found = number_in(load_once(end_.ring + (position_ & mask_)));
    if (overrun()) {
      continue;
    }
    const std::uint64_t expected = number_;
    number_ = found;
    large_ordinal_ = kInvalidPosition;
    const Record* record = nullptr;
    try {
      record = parse(written - position_);
      copy_to_inbox();
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
    inbox().next_position = position_;
    inbox().claimed.store(found + 1, std::memory_order_release);  // CLAIM
    in_hand_ = true;
    return record;
  }
}

void RingReader::copy_to_inbox() {
  check(record_.payload.size() <= end_.link.inbox_bytes - kInboxPayload, "it is larger than the link allows");
  const std::uint64_t want = kInboxPayload + round_up(record_.payload.size(), kPage);
  if (want > inbox_populated_) {
    while (::madvise(end_.inbox + inbox_populated_, want - inbox_populated_, MADV_POPULATE_WRITE) != 0) {
      if (errno != EINTR && errno != EAGAIN) {
        base::throw_errno("no memory for an item of " + std::to_string(record_.payload.size()) + " bytes");
      }
    }
    inbox_populated_ = want;
  }
  inbox().kind = static_cast<std::uint64_t>(record_.kind);
  inbox().size = record_.payload.size();
  inbox().sequence = record_.sequence;
  inbox().part = record_.part;
  inbox().entered_ns = record_.entered_ns;
  std::byte* to = end_.inbox + kInboxPayload;
  if (!record_.payload.empty()) {
    std::memcpy(to, record_.payload.data(), record_.payload.size());
  }
  record_.payload = {to, record_.payload.size()};
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
  return true;
}

/// Nothing more is known to be published, or this link drops the oldest.
const Record* RingReader::try_peek_further() {
  if (one_at_a_time()) {
    return try_claim();
  }
  return look_at_producer() ? parse(seen_written_ - position_) : nullptr;
}

/// What a large item takes of this link's large area, be its bytes there or upstream; returns its size.
inline std::uint64_t RingReader::read_place(const std::byte* at) {
  const std::uint64_t position = load_once(at + offsetof(LargePayload, position));
  const std::uint64_t size = load_once(at + offsetof(LargePayload, size));
  const std::uint64_t ordinal = load_once(at + offsetof(LargePayload, ordinal));
  const std::uint64_t area = end_.link.large_bytes;
  // The limit is within the area: a segment whose link says otherwise is refused (segment_contents.cpp).
  check(size != 0 && size <= end_.link.item_limit, "a large item is none, or larger than the link allows");
  check((position & large_mask_) <= area - size, "a large item lies outside the large area");
  if (large_ordinal_ != kInvalidPosition) {
    check(ordinal == large_ordinal_, "a large item is not the expected one");
    check(not_behind(large_end_, position), "a large item lies where another was");
  }
  large_ordinal_ = ordinal;
  next_large_end_ = position + round_up(size, kLine);
  record_.place = {.link = end_.id, .position = position};
  return size;
}

void RingReader::read_large(const std::byte* at) {
  const std::uint64_t size = read_place(at);
  record_.payload = {end_.large + (record_.place.position & large_mask_), size};
}

void RingReader::read_reference(const std::byte* at) {
  const std::uint64_t size = read_place(at);
  record_.place = {.link = load_once(at + offsetof(LargeReference, link)),
                   .position = load_once(at + offsetof(LargeReference, position))};
  const Upstream::Area* area = end_.upstream.find(record_.place.link);
  check(area != nullptr, "a reference is to a link from which no item comes here");
  const std::uint64_t offset = record_.place.position & (area->bytes - 1);
  check(size <= area->bytes && offset <= area->bytes - size, "a reference is to bytes outside the large area");
  record_.payload = {area->data + offset, size};
}

/// What is no plain item, or no record at all.
const Record* RingReader::parse_special(const std::byte* at, std::uint64_t number_and_kind, std::uint64_t left) {
  const std::uint64_t size = record_.payload.size();
  check(left >= sizeof(RecordHeader), "a header is cut off");
  check(has_number(number_and_kind, number_), "its number is not the expected one");
  check(next_position_ - position_ <= left, "it is longer than what was written");
  // By itself: the switch jumps through a table, and large items are the ones here that are passed one by one.
  if (record_.kind == RecordKind::large_item) {
    check(size == sizeof(LargePayload), "a large item's record has the wrong size");
    read_large(at + sizeof(RecordHeader));
    return &record_;
  }
  switch (record_.kind) {
    case RecordKind::item:
      break;
    case RecordKind::reference:
      check(size == sizeof(LargeReference), "a reference has the wrong size");
      read_reference(at + sizeof(RecordHeader));
      break;
    case RecordKind::run:
      enter_run(at + sizeof(RecordHeader));
      break;
    case RecordKind::tombstone:
    case RecordKind::end:
      check(size == 0, "a mark has a payload");
      break;
    default:
      check(false, "it is of no known kind");
  }
  return &record_;
}

/// From here on record_ is the first item of the run.
void RingReader::enter_run(const std::byte* at) {
  const std::uint64_t size = record_.payload.size();
  check(!one_at_a_time(), "a run of items is on a link that drops the oldest");
  check(size >= sizeof(RunHead), "the head of a run is cut off");
  const std::uint64_t sequences = load_once(at);
  const std::uint64_t bytes_and_items = load_once(at + offsetof(RunHead, item_bytes));
  const auto item_bytes = static_cast<std::uint32_t>(bytes_and_items);
  const auto items = static_cast<std::uint32_t>(bytes_and_items >> 32);
  const bool has_gaps = sequences != low_bits(items);
  check(record_.closes == 0 && record_.part == 0, "a run of items is part of a row's item");
  check(items != 0 && items <= kMostInRun && item_bytes != 0 &&
            size == sizeof(RunHead) + std::uint64_t{items} * item_bytes,
        "a run of items has another size than its items");
  check(!has_gaps || static_cast<std::uint32_t>(std::popcount(sequences)) == items,
        "a run has other sequence numbers than items");
  check(item_bytes <= end_.link.item_limit, "an item of a run is larger than the link allows");
  run_ = {.left = sequences,
          .sequence = record_.sequence,
          .has_gaps = has_gaps,
          .payload = at + sizeof(RunHead),
          .item_bytes = item_bytes,
          .items = items,
          .stepped = 0,
          .entered_ns = record_.entered_ns};
  item_of_run();
}

/// More than three quarters of the bytes, or half of the items, are still to be done. Counts are hints; once all that
/// was seen is done the answer is no, whatever they say.
bool RingReader::stays_full(const Mark& mark) const {
  const LinkEntry& link = end_.link;
  const std::uint64_t bytes = seen_written_ - mark.position;
  const std::uint64_t items = published_number() - mark.done;
  const std::uint64_t large = end_.peer->large_written.load(std::memory_order_relaxed) - mark.large_ordinal;
  return bytes != 0 && (bytes > link.ring_bytes / 4 * 3 || (link.items_limit != 0 && items > link.items_limit / 2) ||
                        large > link.large_limit / 2);
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
  own.releases.store(own.releases.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  released_ = mark.position;
  base::kill_point(base::KillPoint::before_room);
  if (one_at_a_time()) {
    return;  // the producer never waits
  }
  if (stays_full(until)) {
    return;  // a producer that wakes now would sleep again after a few records
  }
  if (const std::uint64_t sleep = asleep(end_.peer->sleeps);
      sleep != 0 && sleep != ended_sleep_ && base::futex_wake(own.releases)) {
    ended_sleep_ = sleep;
  }
}

}  // namespace pystream::shm
