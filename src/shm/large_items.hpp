#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "shm/record.hpp"
#include "shm/segment.hpp"

namespace pystream::shm {

/// A consumer's place in the large area of its link, and the bytes of large items, be they there or in a link upstream.
class LargeItems {
 public:
  LargeItems(std::uint32_t id, const LinkEntry& link, const std::byte* area, Upstream upstream)
      : id_(id), bytes_(link.large_bytes), item_limit_(link.item_limit), area_(area), upstream_(std::move(upstream)) {}

  /// End of the newest payload stepped over.
  std::uint64_t end() const { return end_; }
  /// Of the next payload; kInvalidPosition: that of the next one read.
  std::uint64_t ordinal() const { return ordinal_; }
  void go_to(std::uint64_t end, std::uint64_t ordinal) {
    end_ = end;
    ordinal_ = ordinal;
  }
  /// Fills in the payload and the place of a large_item. `check(holds, what)` throws if what it says does not hold.
  template <class Check>
  void read(Record& record, const Check& check) {
    check(record.payload.size() == sizeof(LargePayload), "a large item's record has the wrong size");
    const std::uint64_t size = read_place(record, check);
    record.payload = {area_ + (record.place.position & (bytes_ - 1)), size};
  }
  /// The same of a reference.
  template <class Check>
  void read_reference(Record& record, const Check& check);
  void step() {
    end_ = next_end_;
    ++ordinal_;
  }

 private:
  template <class Check>
  std::uint64_t read_place(Record& record, const Check& check);

  std::uint32_t id_;
  std::uint64_t bytes_;
  std::uint64_t item_limit_;
  const std::byte* area_;
  Upstream upstream_;
  std::uint64_t end_ = 0;
  std::uint64_t ordinal_ = 0;
  std::uint64_t next_end_ = 0;  ///< end_ behind the record in hand
};

/// What a large item takes of this link's large area, be its bytes there or upstream; returns its size.
template <class Check>
inline std::uint64_t LargeItems::read_place(Record& record, const Check& check) {
  const std::byte* untrusted = record.payload.data();
  const std::uint64_t position = load_once(untrusted + offsetof(LargePayload, position));
  const std::uint64_t size = load_once(untrusted + offsetof(LargePayload, size));
  const std::uint64_t ordinal = load_once(untrusted + offsetof(LargePayload, ordinal));
  // The limit is within the area: a segment whose link says otherwise is refused (segment_contents.cpp).
  check(size != 0 && size <= item_limit_, "a large item is none, or larger than the link allows");
  check((position & (bytes_ - 1)) <= bytes_ - size, "a large item lies outside the large area");
  if (ordinal_ != kInvalidPosition) {
    check(ordinal == ordinal_, "a large item is not the expected one");
    check(not_behind(end_, position), "a large item lies where another was");
  }
  ordinal_ = ordinal;
  next_end_ = position + round_up(size, kLine);
  record.place = {.link = id_, .position = position};
  return size;
}

template <class Check>
void LargeItems::read_reference(Record& record, const Check& check) {
  check(record.payload.size() == sizeof(LargeReference), "a reference has the wrong size");
  const std::byte* untrusted = record.payload.data();
  const std::uint64_t size = read_place(record, check);
  record.place = {.link = load_once(untrusted + offsetof(LargeReference, link)),
                  .position = load_once(untrusted + offsetof(LargeReference, position))};
  const Upstream::Area* area = upstream_.find(record.place.link);
  check(area != nullptr, "a reference is to a link from which no item comes here");
  const std::uint64_t offset = record.place.position & (area->bytes - 1);
  check(size <= area->bytes && offset <= area->bytes - size, "a reference is to bytes outside the large area");
  record.payload = {area->data + offset, size};
}

}  // namespace pystream::shm
