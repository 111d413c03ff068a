#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "shm/record.hpp"

namespace pystream::shm {

/// Items of one size at equal distances; see RingReader::try_items().
struct FoundItems {
  std::uint32_t items = 0;
  const std::byte* payload = nullptr;  ///< of the first
  std::size_t step = 0;                ///< from one payload to the next
  std::uint64_t sequence = 0;          ///< of the first
  std::uint64_t sequences = 0;         ///< as RunHead::sequences
  std::int64_t entered_ns = 0;
  std::uint32_t part = 0;        ///< of each
  std::uint8_t closes = 0;       ///< by the last of them; see pack_header_word()
  std::uint8_t closes_each = 0;  ///< by each of the others
};

/// A consumer's place in a run, whose head was copied and checked.
class RunCursor {
 public:
  /// Goes to the first item of `run`. `check(holds, what)` throws if what it says does not hold.
  template <class Check>
  void enter(const Record& run, std::uint64_t item_limit, const Check& check);
  /// There is an item that was not stepped over.
  bool inside() const { return left_ != 0; }
  /// Items that were not stepped over.
  std::uint32_t items() const { return items_; }
  /// This many were stepped over.
  std::uint32_t stepped() const { return stepped_; }
  /// The next item as a record of its own.
  Record item(std::uint64_t number) const {
    return {.kind = RecordKind::item,
            .closes = closes_of(1),
            .number = number,
            .sequence = sequence_ + static_cast<std::uint64_t>(std::countr_zero(left_)),
            .part = 0,
            .entered_ns = entered_ns_,
            .payload = {payload_, item_bytes_}};
  }
  /// The next `limit` items, as RingReader::try_items() has it. REQUIRES: inside().
  template <class Ahead>
  FoundItems find(std::uint32_t limit, const Ahead& ahead) const;
  /// Steps over this many. REQUIRES: inside().
  void step(std::uint32_t items) {
    items_ -= items;
    if (!has_gaps_) {
      sequence_ += items;
      left_ = low_bits(items_);
    } else {
      for (std::uint32_t i = 0; i < items; ++i) {
        left_ &= left_ - 1;
      }
    }
    payload_ += items * std::size_t{item_bytes_};
    stepped_ += items;
  }
  /// REQUIRES: !inside().
  void leave() { stepped_ = 0; }

 private:
  /// What the last of the next `items` closes.
  std::uint8_t closes_of(std::uint32_t items) const { return items == items_ ? closes_ : closes_each_; }

  std::uint64_t left_ = 0;      ///< what is not stepped over, as RunHead::sequences
  std::uint64_t sequence_ = 0;  ///< of bit 0; if there are no gaps that of the next item
  bool has_gaps_ = false;
  const std::byte* payload_ = nullptr;  ///< of the next item
  std::uint32_t item_bytes_ = 0;
  std::uint32_t items_ = 0;  ///< that are not stepped over
  std::uint32_t stepped_ = 0;
  std::int64_t entered_ns_ = 0;
  std::uint8_t closes_ = 0;
  std::uint8_t closes_each_ = 0;
};

template <class Check>
void RunCursor::enter(const Record& run, std::uint64_t item_limit, const Check& check) {
  const std::uint64_t size = run.payload.size();
  check(size >= sizeof(RunHead), "the head of a run is cut off");
  const std::byte* untrusted = run.payload.data();
  const std::uint64_t sequences = load_once(untrusted);
  const std::uint64_t bytes_and_items = load_once(untrusted + offsetof(RunHead, item_bytes));
  const auto item_bytes = static_cast<std::uint32_t>(bytes_and_items);
  const std::uint32_t items = bytes_and_items >> 32 & 0xffff;
  const auto closes_each = static_cast<std::uint8_t>(bytes_and_items >> 48);
  const bool has_gaps = sequences != low_bits(items);
  check(run.part == 0, "a run of items is part of what one input gave");
  check(items != 0 && items <= kMostInRun && item_bytes != 0 &&
            size == sizeof(RunHead) + std::uint64_t{items} * item_bytes,
        "a run of items has another size than its items");
  check(!has_gaps || static_cast<std::uint32_t>(std::popcount(sequences)) == items,
        "a run has other sequence numbers than items");
  check(closes_each <= run.closes, "an item of a run closes more than the last one");
  check(item_bytes <= item_limit, "an item of a run is larger than the link allows");
  left_ = sequences;
  sequence_ = run.sequence;
  has_gaps_ = has_gaps;
  payload_ = untrusted + sizeof(RunHead);
  item_bytes_ = item_bytes;
  items_ = items;
  stepped_ = 0;
  entered_ns_ = run.entered_ns;
  closes_ = run.closes;
  closes_each_ = closes_each;
}

template <class Ahead>
FoundItems RunCursor::find(std::uint32_t limit, const Ahead& ahead) const {
  const std::uint64_t first = sequence_ + static_cast<std::uint64_t>(std::countr_zero(left_));
  FoundItems found{.payload = payload_, .step = item_bytes_, .sequence = first, .entered_ns = entered_ns_};
  if (!has_gaps_) {
    found.items = ahead(first, std::min(limit, items_));
    found.sequences = low_bits(found.items);
    found.closes = closes_of(found.items);
    found.closes_each = closes_each_;
    return found;
  }
  const std::uint32_t span = ahead(first, limit == 1 ? 1 : kRunBits);
  found.sequences = left_ >> std::countr_zero(left_);
  found.items = items_;
  if (span < kRunBits) {
    found.sequences &= low_bits(span);
    found.items = static_cast<std::uint32_t>(std::popcount(found.sequences));
  }
  for (; found.items > limit; --found.items) {
    found.sequences &= ~std::bit_floor(found.sequences);
  }
  found.closes = closes_of(found.items);
  found.closes_each = closes_each_;
  return found;
}

}  // namespace pystream::shm
