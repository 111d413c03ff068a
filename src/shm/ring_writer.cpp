#include "shm/ring_writer.hpp"

#include <algorithm>
#include <bit>
#include <pystream/error.hpp>
#include <utility>

#include "base/clock.hpp"
#include "base/kill_point.hpp"

namespace pystream::shm {
namespace {

/// Payloads above this share of the ring go to the large area.
constexpr std::uint64_t kLargeShare = 16;

}  // namespace

RingWriter::RingWriter(ProducerEnd end, KeyOf key_of)
    : end_(std::move(end)),
      check_(end_.id, *end_.own),
      ring_{.data = end_.ring, .mask = end_.link.ring_bytes - 1},
      small_limit_(std::min(end_.link.ring_bytes / kLargeShare, end_.link.item_limit)),
      journal_(*end_.own, check_),
      large_(end_, check_),
      consumers_(end_),
      sharing_(static_cast<Sharing>(end_.link.sharing)),
      dealer_(sharing_, takers(), std::move(key_of)),
      bound_(static_cast<std::int64_t>(end_.link.time_limit_ns), TimeBound::kFewest * takers()) {
  rollback();
  check_(dealer_.turn() < takers(), "it was to deal to a consumer that there is not");
  if (end_.link.ring_bytes == 0) {
    return;  // nobody reads a terminal link
  }
  check_(head_ % kRecordAlign == 0, "the write position is not that of a record");
  if (end_.link.inbox_bytes != 0) {
    eviction_.emplace(*end_.own, ring_);
    freed_ = eviction_->find_tail(mark(), check_);
    set_room();
    return;
  }
  look_at_consumers();
  dealer_.find(ring_, freed_.position, head_, check_);
  if (!large_.is_free(freed_)) {
    references_.find(ring_, freed_.position, head_, check_);
  }
}

void RingWriter::count_dropped() {
  auto& dropped = end_.own->dropped;
  dropped.store(dropped.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void RingWriter::rollback() {
  rollback_to(journal_.written());
}

void RingWriter::rollback_to(const Mark& mark) {
  head_ = mark.position;
  next_number_ = mark.number;
  outputs_ = mark.outputs;
  dealer_.rollback_to(mark.deal_turn, next_number_);
  large_.rollback_to(mark.large_position, mark.large_ordinal);
  references_.rollback_to(head_);
}

void RingWriter::look_at_consumers() {
  consumers_.look(freed_, mark(), journal_.committed(), check_);
  set_room();
}

void RingWriter::learn() {
  look_at_consumers();
  if (bound_.applies()) {
    bound_.look({.now_ns = base::now_ns(),
                 .done = freed_.done_number,
                 .dry = any_dry(),
                 .wanted = consumers_.wanted_at_once()});
    set_room();
  }
}

bool RingWriter::any_dry() const {
  return consumers_.any_dry(journal_.committed(), journal_.entry().next_number);
}

void RingWriter::lift_time_bound() {
  bound_ = TimeBound(0);
  set_room();
}

/// Items that may be in the link and not done; kInvalidPosition: as many as fit.
std::uint64_t RingWriter::items_limit() const {
  const std::uint64_t limit = end_.link.items_limit;
  return std::min(limit != 0 ? limit : kInvalidPosition, bound_.limit());
}

void RingWriter::set_room() {
  room_end_ = freed_.position + end_.link.ring_bytes;
  const std::uint64_t limit = items_limit();
  number_end_ = limit != kInvalidPosition ? freed_.done_number + limit : kInvalidPosition;
  if (end_.link.time_limit_ns != 0) {
    end_.own->time_limit.store(bound_.applies() ? bound_.limit() : 0, std::memory_order_relaxed);
  }
}

/// One more record, of a large item if `large`, is within what the link may hold that is not done.
bool RingWriter::within_limits(bool large, const Freed& freed) const {
  return next_number_ - freed.done_number < items_limit() &&
         (!large || large_.is_free(freed) || large_.ordinal() - freed.done_large < end_.link.large_limit);
}

bool RingWriter::fits(Need need, const Freed& freed) const {
  return within_limits(need.large != 0, freed) && head_ + need.ring - freed.position <= end_.link.ring_bytes &&
         (need.large == 0 || large_.has_room(need.large, freed));
}

bool RingWriter::has_room(Need need) {
  if (!fits(need, freed_) && !make_room(need)) {
    return false;
  }
  cease_to_ask();
  return true;
}

bool RingWriter::make_room(Need need) {
  if (eviction_) {
    while (freed_.position != journal_.committed() && !fits(need, freed_)) {
      eviction_->evict_oldest(freed_, mark(), journal_.committed(), check_);
      set_room();
    }
    return fits(need, freed_);
  }
  learn();
  if (fits(need, freed_)) {
    return true;
  }
  consumers_.find_blocker([&](const Freed& freed) { return fits(need, freed); });
  if (within_limits(need.large != 0, freed_)) {
    ask_for_room();  // what is done and only kept for others is in the way
  }
  return false;
}

std::byte* RingWriter::try_reserve_further(std::size_t size) {
  if (size > end_.link.item_limit) {
    throw ItemTooLarge(size, end_.link.item_limit);
  }
  if (size <= small_limit_) {
    reserved_large_.reset();
    return has_room({.ring = record_bytes(size)}) ? payload_at_head() : nullptr;
  }
  if (!eviction_ && !large_.is_free(freed_)) {
    // What was seen last would do for correctness; only the present state tells that the warm front is free again.
    consumers_.look_at_large(freed_, mark(), check_);
  }
  if (!has_room({.ring = record_bytes(sizeof(LargePayload)), .large = size})) {
    return nullptr;
  }
  reserved_large_ = large_.choose(size, freed_);
  return large_.prepare(*reserved_large_, size);
}

std::uint32_t RingWriter::try_reserve_run(std::size_t size, std::uint32_t items) {
  reserved_large_.reset();
  const std::uint64_t most = items * size <= run_limit() ? items : run_limit() / size;
  const std::uint64_t bytes = record_bytes(sizeof(RunHead) + most * size);
  if ((head_ + bytes > room_end_ || next_number_ >= number_end_) && !has_room({.ring = bytes})) {
    return 0;
  }
  return static_cast<std::uint32_t>(most <= number_end_ - next_number_ ? most : room_for_run(most));
}

/// How many of the items of a run, at least one, the limits of items allow. REQUIRES: one more item is within them.
std::uint64_t RingWriter::room_for_run(std::uint64_t most) {
  std::uint64_t hard = number_end_ - next_number_;
  if (!bound_.applies()) {
    return std::min(most, hard);
  }
  learn();
  const std::uint64_t inside = next_number_ - freed_.done_number;
  hard = end_.link.items_limit != 0 ? std::min(most, end_.link.items_limit - inside) : most;
  const std::uint64_t left = bound_.limit() - std::min(bound_.limit(), inside);
  const std::uint64_t room = std::min(hard, std::max(left, bound_.run_excess()));
  if (room < hard) {
    bound_.note_cut();
  }
  return room;
}

void RingWriter::finish_run(std::size_t size, const RunItems& of, const RecordTag& tag) {
  const RunHead head{.sequences = of.sequences,
                     .item_bytes = static_cast<std::uint32_t>(size),
                     .items = static_cast<std::uint16_t>(of.items),
                     .closes_each = static_cast<std::uint8_t>(of.closes_each + (sharing_ == Sharing::branches ? 1 : 0)),
                     .reserved = 0};
  std::memcpy(payload_at_head(), &head, sizeof(head));
  write_header(RecordKind::run, tag, static_cast<std::uint32_t>(sizeof(head) + of.items * size), of.closes);
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
  const LargeReference reference{.place = large_.take(large_.place_behind(to.size), to.size),
                                 .link = to.link,
                                 .position = to.position,
                                 .input = to.input,
                                 .reserved = 0};
  std::memcpy(payload_at_head(), &reference, sizeof(reference));
  write_header(RecordKind::reference, tag, sizeof(reference), 0);
  references_.add(head_, to.input);
  ++outputs_;
  return true;
}

std::optional<std::uint64_t> RingWriter::oldest_referred() {
  if (references_.any()) {
    look_at_consumers();
    references_.release_before(freed_.position);
  }
  return references_.oldest_input();
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
  std::byte* at = ring_.at(newest_);
  std::memcpy(&header, at, sizeof(header));
  header.number_and_kind += std::uint64_t{closes} << kClosesShift;
  std::memcpy(at, &header, sizeof(header));
}

void RingWriter::commit(const Done& done) {
  if (bound_.watches_commit()) [[unlikely]] {
    bound_.note_commit(any_dry());
    set_room();
  }
  journal_.commit(mark(), done);
  base::kill_point(base::KillPoint::before_wake);
  consumers_.wake(head_, deals() ? std::exchange(dealt_to_, 0) : Consumers::kAll);
}

/// The end is for all, and closes nothing.
void RingWriter::share(RecordHeader& header) {
  if (kind_in(header.number_and_kind) == RecordKind::end) {
    dealt_to_ = base::mutated(base::Mutation::end_wakes_one) ? Consumers::Set{1} << dealer_.turn() : Consumers::kAll;
    return;
  }
  header.number_and_kind += std::uint64_t{1} << kClosesShift;
  if (deals()) {
    deal(header);
  }
}

void RingWriter::deal(RecordHeader& header) {
  const std::uint64_t to = dealer_.deal(about_to_deal(header), consumers_);
  header.number_and_kind += kDealt;
  header.sequence = (header.sequence & kDealtSequenceMask) | to << kConsumerShift;
  dealt_to_ |= Consumers::Set{1} << to;
}

Dealer::Dealt RingWriter::about_to_deal(const RecordHeader& header) const {
  const std::byte* payload = payload_at_head();
  switch (kind_in(header.number_and_kind)) {
    case RecordKind::item:
      return {.number = next_number_, .items = 1, .payload = {payload, header.size}};
    case RecordKind::large_item: {
      const auto large = copy_from<LargePayload>(payload);
      return {.number = next_number_, .items = 1, .payload = {large_.at(large.position), large.size}};
    }
    case RecordKind::run:
      return {.number = next_number_, .items = copy_from<RunHead>(payload).items};
    default:
      return {.number = next_number_};
  }
}

void RingWriter::commit_terminal(const Done& done) {
  head_ = journal_.committed() + 1;
  journal_.commit(mark(), done);
}

void RingWriter::commit_inputs_done(std::uint64_t inputs_done) {
  journal_.commit_inputs_done(inputs_done);
}

void RingWriter::wait(const Watched& since, const Patience& patience) {
  if (deals() && !base::mutated(base::Mutation::no_wake_to_step_over)) {
    // Who was dealt nothing lately sleeps in front of what the others were dealt. Not before the last commit: it wakes
    // only those for whom it has something (tests/model/dealing.pml, BREAK 29).
    consumers_.wake(journal_.committed());
  }
  if (eviction_) {
    return;  // there a commit is all it takes to make room
  }
  if (!has_uncommitted() && next_number_ - freed_.done_number >= bound_.limit()) {
    bound_.note_wait();
  }
  wait_for_change(since, patience);
}

}  // namespace pystream::shm
