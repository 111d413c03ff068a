#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "shm/record_abi.hpp"

namespace pystream::shm {

/// Where a large payload lies.
struct LargePlace {
  std::uint64_t link = 0;      ///< in whose large area
  std::uint64_t position = 0;  ///< in that area
};

/// A record whose header was copied and checked; the payload is read-only memory that stays until release().
struct Record {
  RecordKind kind = RecordKind::invalid;
  std::uint8_t closes = 0;  ///< see pack_header_word()
  std::uint64_t number = 0;
  std::uint64_t sequence = 0;
  std::uint32_t part = 0;
  std::int64_t entered_ns = 0;
  std::span<const std::byte> payload;
  LargePlace place{};  ///< if it is large

  /// The payload is in a large area, this link's or one upstream.
  bool large() const { return kind == RecordKind::large_item || kind == RecordKind::reference; }
  /// Not a mark.
  bool is_item() const { return kind == RecordKind::item || large(); }
};

/// One load a word: the compiler must not read a checked value a second time from memory that others may change.
inline std::uint64_t load_once(const std::byte* untrusted) {
  return __atomic_load_n(reinterpret_cast<const std::uint64_t*>(untrusted), __ATOMIC_RELAXED);
}

}  // namespace pystream::shm
