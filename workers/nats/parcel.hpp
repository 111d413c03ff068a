#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace pystream::nats {

/// A place in the outputs of a part: every input with a smaller number than `sequence` is done, and so are the first
/// `outputs` outputs of that one.
struct Position {
  std::uint64_t sequence = 0;
  std::uint64_t outputs = 0;
  auto operator<=>(const Position&) const = default;
};

std::string to_string(const Position& position);

/// What writer and reader of a log must agree on.
struct Identity {
  std::string item_type;
  std::string plan_hash;
};

struct ParcelItem {
  std::uint64_t sequence = 0;
  std::uint32_t part = 0;
  std::int64_t entered_ns = 0;  ///< CLOCK_REALTIME of the host where it entered the pipeline
  std::span<const std::byte> bytes;
};

/// What stands in front of the items of a parcel.
struct ParcelHeader {
  Identity identity;
  std::uint64_t epoch = 0;
  Position from;     ///< where the parcel before it ended
  Position upto;     ///< what is done with this one
  bool end = false;  ///< no parcel follows
};

/// A parcel in bytes. All numbers are little endian; `v` is a number in groups of 7 bits, the lowest first.
///
///   "PSLP", version (1 byte), flags (1 byte), epoch (8), from (8 + 8), upto (8 + 8), items (4),
///   item type (length 2, text), plan hash (length 2, text), then for each item
///   v sequence - that of the item before it, or of `from`;  v part;  v time of entry as a zigzag difference;  v size;
///   bytes
std::vector<std::byte> encode_parcel(const ParcelHeader& header, std::span<const ParcelItem> items);

/// A parcel that was read. Its items point into the bytes it was made of.
struct Parcel {
  ParcelHeader header;
  std::vector<ParcelItem> items;
  /// Behind each item: where it ends, as its writer counted.
  std::vector<Position> ends;
};

/// Throws LogUnusable if the bytes are not a parcel: they come from the network.
Parcel decode_parcel(std::span<const std::byte> untrusted);

/// Counts the outputs of each input: the position behind an output of input `sequence` that follows `position`.
Position behind_output(const Position& position, std::uint64_t sequence);

}  // namespace pystream::nats
