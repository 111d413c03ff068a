#include "shm/ring_writer.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <pystream/error.hpp>
#include <system_error>

#include "base/futex.hpp"
#include "base/kill_point.hpp"

namespace pystream::shm {
namespace {

/// Payloads above this share of the ring go to the large area.
constexpr std::uint64_t kLargeShare = 16;

}  // namespace

RingWriter::RingWriter(ProducerEnd end)
    : end_(std::move(end)),
      mask_(end_.link.ring_bytes - 1),
      large_mask_(end_.link.large_bytes - 1),
      small_limit_(std::min(end_.link.ring_bytes / kLargeShare, end_.link.item_limit)),
      evicts_(end_.link.inbox_bytes != 0) {
  const std::uint64_t position = end_.own->write_position.load(std::memory_order_acquire);
  const JournalEntry* journal = end_.own->journal;
  committed_ = position;
  check(journal[0].write_position == position || journal[1].write_position == position,
        "its journal matches the write position nowhere");
  check(end_.link.ring_bytes == 0 || position % kRecordAlign == 0, "the write position is not that of a record");
  active_ = journal[0].write_position == position ? 0 : 1;
  populated_ = end_.own->populated.load(std::memory_order_relaxed);
  check(populated_ % kPage == 0 && populated_ <= end_.link.large_bytes,
        "its large area does not have memory up to a page's end");
  rollback();
  // A predecessor may have died before it woke the consumer: who lacks room asks anew.
  asks_ = (end_.own->lacks_room.load(std::memory_order_relaxed) & 1) != 0;
  cease_to_ask();
  if (evicts_) {
    find_tail();
  } else if (end_.link.ring_bytes != 0) {
    look_at_consumer();
    find_references();
  }
}

/// Calls `visit(header, payload, end)` for the committed records from position `from` on, as a predecessor left them.
template <class Visit>
void RingWriter::walk_committed(std::uint64_t from, const Visit& visit) const {
  for (std::uint64_t at = from; at != committed_;) {
    RecordHeader header;
    const std::byte* record = end_.ring + (at & mask_);
    std::memcpy(&header, record, sizeof(header));
    at += record_bytes(header.size);
    check(committed_ - at <= end_.link.ring_bytes, "its records do not end at the write position");
    visit(header, record + sizeof(header), at);
  }
}

/// After a restart: what lies at the tail follows from the records between it and the write position.
void RingWriter::find_tail() {
  seen_read_ = end_.own->tail_position.load(std::memory_order_relaxed);
  check(seen_read_ <= committed_ && committed_ - seen_read_ <= end_.link.ring_bytes,
        "the tail is not within what was written");
  seen_read_number_ = next_number_;
  seen_large_ordinal_ = large_ordinal_;
  seen_large_released_ = large_head_;
  bool found = false;
  bool found_large = false;
  walk_committed(seen_read_, [&](const RecordHeader& header, const std::byte* bytes, std::uint64_t) {
    if (!found) {
      seen_read_number_ = number_in(header.number_and_kind);
      found = true;
    }
    if (kind_in(header.number_and_kind) == RecordKind::large_item && !found_large) {
      LargePayload payload;
      std::memcpy(&payload, bytes, sizeof(payload));
      seen_large_ordinal_ = payload.ordinal;
      seen_large_released_ = payload.position;
      found_large = true;
    }
  });
  set_room();
}

/// After a restart: which inputs are still referred to follows from the records that are not released.
void RingWriter::find_references() {
  if (seen_large_ordinal_ == large_ordinal_) {
    return;  // nothing large is inside
  }
  walk_committed(seen_read_, [&](const RecordHeader& header, const std::byte* bytes, std::uint64_t end) {
    if (kind_in(header.number_and_kind) == RecordKind::reference) {
      LargeReference reference;
      std::memcpy(&reference, bytes, sizeof(reference));
      referring_.push_back({.end = end, .input = reference.input});
    }
  });
}

void RingWriter::evict_oldest() {
  RecordHeader header;
  std::memcpy(&header, end_.ring + (seen_read_ & mask_), sizeof(header));
  check(record_bytes(header.size) <= committed_ - seen_read_, "its oldest record reaches beyond the write position");
  if (kind_in(header.number_and_kind) == RecordKind::large_item) {
    LargePayload payload;
    std::memcpy(&payload, end_.ring + (seen_read_ & mask_) + sizeof(header), sizeof(payload));
    check(not_behind(payload.position + payload.size, large_head_), "its oldest large item reaches beyond the newest");
    seen_large_released_ = payload.position + round_up(payload.size, kLine);
    ++seen_large_ordinal_;
  }
  seen_read_ += record_bytes(header.size);
  ++seen_read_number_;
  set_room();
  end_.own->tail_position.store(seen_read_, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);  // EVICT: no byte is overwritten before this is seen
}

void RingWriter::count_dropped() {
  auto& dropped = end_.own->dropped;
  dropped.store(dropped.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void RingWriter::rollback() {
  const JournalEntry& entry = journal();
  rollback_to({.head = committed_,
               .large_head = entry.large_position,
               .large_ordinal = entry.large_ordinal,
               .next_number = entry.next_number,
               .outputs = entry.outputs});
}

void RingWriter::rollback_to(const Mark& mark) {
  head_ = mark.head;
  large_head_ = mark.large_head;
  large_ordinal_ = mark.large_ordinal;
  next_number_ = mark.next_number;
  outputs_ = mark.outputs;
  jumped_from_ = not_behind(large_head_, next_lap(jumped_from_)) ? 0 : jumped_from_;
  while (!referring_.empty() && referring_.back().end > head_) {
    referring_.pop_back();
  }
}

void RingWriter::fail(const char* what) const {
  throw LinkCorrupt(end_.id, "is damaged, seen by its producer at position " + std::to_string(committed_) + ": " +
                                 what + "; a worker wrote over memory that is not its own, or the memory failed");
}

void RingWriter::set_room() {
  room_end_ = seen_read_ + end_.link.ring_bytes;
  if (evicts_) {
    seen_done_number_ = seen_read_number_;
    seen_done_large_ = seen_large_ordinal_;
  }
  number_end_ = end_.link.items_limit != 0 ? seen_done_number_ + end_.link.items_limit : kInvalidPosition;
}

/// Only what was committed can have been released; what the link holds by this side's count bounds all four.
void RingWriter::look_at_consumer() {
  if (end_.link.ring_bytes == 0) {
    return;  // nobody reads a terminal link
  }
  // First of all, so that whatever comes after what is read below ends a sleep on this.
  seen_releases_ = end_.peer->releases.load(std::memory_order_acquire);
  // RELEASE: pairs with the consumer's store; what stands before read_position may be overwritten from here on.
  seen_read_ = end_.peer->read_position.load(std::memory_order_acquire);
  seen_read_number_ = end_.peer->read_number.load(std::memory_order_relaxed);
  look_at_large_released();
  seen_done_number_ = end_.peer->done_number.load(std::memory_order_relaxed);
  seen_done_large_ = end_.peer->done_large.load(std::memory_order_relaxed);
  check(seen_read_ <= committed_ && committed_ - seen_read_ <= end_.link.ring_bytes,
        "the read position is not within what was written");
  check(seen_read_ % kRecordAlign == 0, "the read position is not that of a record");
  check(seen_read_number_ <= next_number_ && seen_done_number_ <= next_number_ && seen_done_large_ <= large_ordinal_,
        "more records were released than were written");
  set_room();
}

void RingWriter::look_at_large_released() {
  seen_large_released_ = end_.peer->large_released.load(std::memory_order_acquire);
  seen_large_ordinal_ = end_.peer->large_ordinal.load(std::memory_order_acquire);
  check(not_behind(seen_large_released_, large_head_) && seen_large_ordinal_ <= large_ordinal_,
        "more large items were released than were written");
}

/// Where the oldest large payload that is not released begins, or a place before it. Between two payloads there may be
/// a gap, of which the consumer says nothing.
std::uint64_t RingWriter::large_in_use() const {
  return seen_large_released_ == jumped_from_ ? next_lap(jumped_from_) : seen_large_released_;
}

/// Where a large payload would begin behind the one before it.
std::uint64_t RingWriter::place_behind(std::size_t size) const {
  return (large_head_ & large_mask_) + size <= end_.link.large_bytes ? large_head_ : next_lap(large_head_);
}

/// Where the bytes of a large payload would begin: at the front of the area whenever that is free and saves touching
/// new memory, so that a link whose consumer keeps up stays in the same warm pages.
std::uint64_t RingWriter::large_start(std::size_t size) const {
  if (seen_large_ordinal_ == large_ordinal_) {
    return next_lap(large_head_);
  }
  const std::uint64_t offset = large_head_ & large_mask_;
  const bool grows = offset + size > populated_;
  const bool same_lap = not_behind(large_head_ - offset, large_in_use());
  const bool front_is_free = same_lap && size <= (large_in_use() & large_mask_);
  return grows && front_is_free ? next_lap(large_head_) : place_behind(size);
}

/// One more record, of a large item if `large`, is within what the link may hold that is not done.
bool RingWriter::within_limits(bool large) const {
  const LinkEntry& link = end_.link;
  return (link.items_limit == 0 || next_number_ - seen_done_number_ < link.items_limit) &&
         (!large || large_ordinal_ == seen_large_ordinal_ || large_ordinal_ - seen_done_large_ < link.large_limit);
}

bool RingWriter::fits(Need need) const {
  const LinkEntry& link = end_.link;
  return within_limits(need.large != 0) && head_ + need.ring - seen_read_ <= link.ring_bytes &&
         (need.large == 0 || large_ordinal_ == seen_large_ordinal_ ||
          place_behind(need.large) + need.large - large_in_use() <= link.large_bytes);
}

bool RingWriter::has_room(Need need) {
  if (!fits(need) && !make_room(need)) {
    return false;
  }
  cease_to_ask();
  return true;
}

bool RingWriter::make_room(Need need) {
  if (evicts_) {
    while (seen_read_ != committed_ && !fits(need)) {
      evict_oldest();
    }
    return fits(need);
  }
  look_at_consumer();
  const bool found = fits(need);
  if (!found && within_limits(need.large != 0)) {
    ask_for_room();  // what is done and only kept for others is in the way
  }
  return found;
}

void RingWriter::ask_for_room() {
  if (!asks_) {
    asks_ = true;
    auto& lacks = end_.own->lacks_room;
    lacks.store(lacks.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    wake_consumer(lacks);
  }
}

void RingWriter::cease_to_ask() {
  if (asks_) {
    asks_ = false;
    auto& lacks = end_.own->lacks_room;
    lacks.store(lacks.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
}

void RingWriter::populate(std::uint64_t offset, std::size_t size) {
  const std::uint64_t want = std::min(round_up(offset + size, kPage), end_.link.large_bytes);
  while (::madvise(end_.large + populated_, want - populated_, MADV_POPULATE_WRITE) != 0) {
    if (errno != EINTR && errno != EAGAIN) {
      throw Error("no memory for an item of " + std::to_string(size) +
                  " bytes in this link's large area: " + std::generic_category().message(errno));
    }
  }
  populated_ = want;
  end_.own->populated.store(want, std::memory_order_relaxed);
}

std::byte* RingWriter::try_reserve_further(std::size_t size) {
  if (size > end_.link.item_limit) {
    throw ItemTooLarge(size, end_.link.item_limit);
  }
  if (size <= small_limit_) {
    reserved_large_ = false;
    return has_room({.ring = record_bytes(size)}) ? end_.ring + (head_ & mask_) + sizeof(RecordHeader) : nullptr;
  }
  if (!evicts_ && seen_large_ordinal_ != large_ordinal_) {
    // What was seen last would do for correctness; only the present state tells that the warm front is free again.
    look_at_large_released();
  }
  if (!has_room({.ring = record_bytes(sizeof(LargePayload)), .large = size})) {
    return nullptr;
  }
  const std::uint64_t start = large_start(size);
  const std::uint64_t offset = start & large_mask_;
  reserved_large_ = true;
  reserved_at_ = start;
  if (offset + size > populated_) {
    populate(offset, size);
  }
  return end_.large + offset;
}

std::uint32_t RingWriter::try_reserve_run(std::size_t size, std::uint32_t items) {
  reserved_large_ = false;
  const std::uint64_t most = items * size <= run_limit() ? items : run_limit() / size;
  const std::uint64_t bytes = record_bytes(sizeof(RunHead) + most * size);
  if ((head_ + bytes > room_end_ || next_number_ >= number_end_) && !has_room({.ring = bytes})) {
    return 0;
  }
  return static_cast<std::uint32_t>(std::min(most, number_end_ - next_number_));
}

void RingWriter::finish_run(std::size_t size, const RunItems& of, const RecordTag& tag) {
  const RunHead head{.sequences = of.sequences, .item_bytes = static_cast<std::uint32_t>(size), .items = of.items};
  std::memcpy(end_.ring + (head_ & mask_) + sizeof(RecordHeader), &head, sizeof(head));
  write_header(RecordKind::run, tag, static_cast<std::uint32_t>(sizeof(head) + of.items * size), 0);
  next_number_ += of.items - 1;
  outputs_ += of.items;
}

bool RingWriter::try_refer(const ReferTo& to, const RecordTag& tag) {
  if (to.size > end_.link.item_limit) {
    throw ItemTooLarge(to.size, end_.link.item_limit);
  }
  if (!has_room({.ring = record_bytes(sizeof(LargeReference)), .large = to.size})) {
    return false;
  }
  reserved_at_ = place_behind(to.size);
  const LargeReference reference{
      .place = take_large(to.size), .link = to.link, .position = to.position, .input = to.input, .reserved = 0};
  std::memcpy(end_.ring + (head_ & mask_) + sizeof(RecordHeader), &reference, sizeof(reference));
  write_header(RecordKind::reference, tag, sizeof(reference), 0);
  referring_.push_back({.end = head_, .input = to.input});
  ++outputs_;
  return true;
}

std::optional<std::uint64_t> RingWriter::oldest_referred() {
  if (referring_.empty()) {
    return std::nullopt;
  }
  look_at_consumer();
  while (!referring_.empty() && referring_.front().end <= seen_read_) {
    referring_.pop_front();
  }
  return referring_.empty() ? std::nullopt : std::optional(referring_.front().input);
}

bool RingWriter::try_mark(RecordKind kind, const RecordTag& tag, std::uint8_t closes) {
  if (!has_room({.ring = record_bytes(0)})) {
    return false;
  }
  write_header(kind, tag, 0, closes);
  return true;
}

void RingWriter::set_closes(std::uint8_t closes) {
  RecordHeader header;
  std::byte* at = end_.ring + (newest_ & mask_);
  std::memcpy(&header, at, sizeof(header));
  header.number_and_kind |= std::uint64_t{closes} << kClosesShift;
  std::memcpy(at, &header, sizeof(header));
}

void RingWriter::fill_entry(std::size_t index, const Done& done) {
  JournalEntry& entry = end_.own->journal[index];
  entry.next_number = next_number_;
  entry.large_position = large_head_;
  entry.large_ordinal = large_ordinal_;
  entry.inputs_done.store(done.inputs_done, std::memory_order_relaxed);
  entry.parts_of = done.inputs_done;
  entry.parts_out = done.parts_out;
  entry.flags = done.flags;
  entry.outputs = outputs_;
  entry.cycles = done.cycles;
  if (!done.cursor.empty()) {
    std::memcpy(entry.cursor, done.cursor.data(), done.cursor.size());
  }
}

void RingWriter::publish(std::size_t index) {
  end_.own->journal[index].write_position = head_;
  end_.own->written_number.store(next_number_, std::memory_order_relaxed);
  end_.own->large_written.store(large_ordinal_, std::memory_order_relaxed);
  // COMMIT: the entry and the records are complete; from this instant on they count.
  end_.own->write_position.store(head_, std::memory_order_release);
  // The next commit fills the other entry, which must not happen before this store in the eyes of a successor.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  active_ = index;
  committed_ = head_;
}

void RingWriter::commit(const Done& done) {
  fill_entry(1 - active_, done);
  base::kill_point(base::KillPoint::before_commit);
  publish(1 - active_);
  base::kill_point(base::KillPoint::before_wake);
  wake_consumer(end_.own->write_position);
}

void RingWriter::commit_terminal(const Done& done) {
  head_ = committed_ + 1;
  fill_entry(1 - active_, done);
  base::kill_point(base::KillPoint::before_commit);
  publish(1 - active_);
}

void RingWriter::commit_inputs_done(std::uint64_t inputs_done) {
  base::kill_point(base::KillPoint::before_commit);
  end_.own->journal[active_].inputs_done.store(inputs_done, std::memory_order_release);
}

void RingWriter::wake_consumer(const std::atomic<std::uint64_t>& word) {
  if (const std::uint64_t sleep = asleep(end_.peer->sleeps);
      sleep != 0 && sleep != ended_sleep_ && base::futex_wake(word)) {
    ended_sleep_ = sleep;
  }
}

void RingWriter::wait(const Watched& since, const Patience& patience) {
  if (!evicts_) {  // there a commit is all it takes to make room
    wait_for_change(since, patience);
  }
}

bool RingWriter::empty() const {
  return end_.peer->read_position.load(std::memory_order_acquire) == committed_;
}

std::uint64_t RingWriter::items_inside() const {
  return next_number_ - end_.peer->done_number.load(std::memory_order_relaxed);
}

}  // namespace pystream::shm
