#pragma once

#include <cstddef>
#include <cstdint>

#include "base/mutation.hpp"
#include "shm/segment.hpp"
#include "shm/written.hpp"

namespace pystream::shm {

/// Where large payloads go. Positions only grow; to begin again at the front of the area takes the rest of a lap.
///
/// Invariants:
/// 1. [in_use, head) never spans more than the area, so no payload lies over one that is not released.
/// 2. The first `populated_` bytes of the area have memory. No byte behind them is touched: with none left the worker
///    would get a SIGBUS instead of an error.
class LargeArea {
 public:
  LargeArea(const ProducerEnd& end, const ProducerCheck& check);

  std::uint64_t head() const { return head_; }
  std::uint64_t ordinal() const { return ordinal_; }
  /// Every payload was released.
  bool is_free(const Freed& freed) const { return freed.large_ordinal == ordinal_; }
  bool has_room(std::size_t size, const Freed& freed) const {
    return is_free(freed) || place_behind(size) + size - in_use(freed) <= bytes_;
  }
  /// Position of the front of the area in the next lap. It is for a payload if is_free().
  std::uint64_t front() const { return next_lap(head_); }
  bool front_has_memory(std::size_t size) const { return size <= populated_; }
  std::byte* front_bytes() const { return data_; }
  /// Where a payload begins: at the front whenever that is free and saves touching new memory, so that a link whose
  /// consumer keeps up stays in the same warm pages. REQUIRES: has_room().
  std::uint64_t choose(std::size_t size, const Freed& freed) const;
  /// Where it would begin behind the one before it.
  std::uint64_t place_behind(std::size_t size) const {
    return (head_ & mask_) + size <= bytes_ ? head_ : next_lap(head_);
  }
  /// Memory for a payload at `position`. Throws Error if there is none.
  std::byte* prepare(std::uint64_t position, std::size_t size) {
    const std::uint64_t offset = position & mask_;
    if (offset + size > populated_) {
      populate(offset + size, size);
    }
    return data_ + offset;
  }
  /// The bytes of a payload at `position`.
  const std::byte* at(std::uint64_t position) const { return data_ + (position & mask_); }
  /// Makes it the newest payload.
  LargePayload take(std::uint64_t position, std::size_t size) {
    const LargePayload taken{.position = position, .size = size, .ordinal = ordinal_, .reserved = 0};
    if (position != head_) {
      jumped_from_ = head_;
    }
    head_ = position + round_up(size, kLine);
    ++ordinal_;
    return taken;
  }
  void rollback_to(std::uint64_t head, std::uint64_t ordinal) {
    head_ = head;
    ordinal_ = ordinal;
    if (not_behind(head_, next_lap(jumped_from_)) && !base::mutated(base::Mutation::keep_rolled_back_jump)) {
      jumped_from_ = 0;
    }
  }

 private:
  void populate(std::uint64_t end, std::size_t size);
  std::uint64_t next_lap(std::uint64_t position) const { return (position + mask_) & ~mask_; }
  /// Where the oldest payload that is not released begins, or a place before it. Between two payloads there may be a
  /// gap, of which the consumer says nothing.
  std::uint64_t in_use(const Freed& freed) const {
    return freed.large_position == jumped_from_ ? next_lap(jumped_from_) : freed.large_position;
  }

  std::byte* data_;
  std::uint64_t bytes_;  ///< a power of two
  std::uint64_t mask_;
  std::atomic<std::uint64_t>* shared_populated_;
  std::uint64_t populated_;
  std::uint64_t head_ = 0;
  std::uint64_t ordinal_ = 0;
  /// head_ before the last jump to the front. A predecessor's is not known.
  std::uint64_t jumped_from_ = 0;
};

inline std::uint64_t LargeArea::choose(std::size_t size, const Freed& freed) const {
  if (is_free(freed)) {
    return front();
  }
  const std::uint64_t offset = head_ & mask_;
  const bool grows = offset + size > populated_;
  const bool same_lap = not_behind(head_ - offset, in_use(freed));
  const bool front_is_free = same_lap && size <= (in_use(freed) & mask_);
  return grows && front_is_free ? front() : place_behind(size);
}

}  // namespace pystream::shm
