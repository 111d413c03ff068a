#pragma once

#include <cstddef>
#include <cstdint>

/// A record in the ring: a header, and the payload behind it. A change here raises kAbiVersion (segment_abi.hpp).
///
/// Written by the producer before the release store of write_position that covers it. Untrusted when read.
namespace pystream::shm {

inline constexpr std::size_t kRecordAlign = 16;

constexpr std::uint64_t round_up(std::uint64_t bytes, std::uint64_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

enum class RecordKind : std::uint8_t {
  invalid = 0,  ///< zeros, as a punched hole reads
  item = 1,
  large_item = 2,  ///< the payload is a LargePayload
  tombstone = 3,   ///< an input that gave nothing, where every input is answered; no payload
  end = 4,         ///< the source has ended; the last record of the link; no payload
  reference = 5,   ///< the payload is a LargeReference
  run = 6,         ///< the payload is a RunHead and the payloads of several items, one behind another
};

struct RecordHeader {
  std::uint64_t number_and_kind;  ///< see pack_header_word()
  std::uint64_t sequence;         ///< number given at the pipeline's entrance; of a run: see RunHead
  std::uint32_t size;             ///< payload bytes that follow in the ring
  std::uint32_t part;             ///< which of several outputs of one input
  std::int64_t entered_ns;        ///< CLOCK_MONOTONIC at the pipeline's entrance
};

/// RecordHeader::number_and_kind.
///
///    63    56  55  54    48 47                    0
///   ┌────────┬─────┬───────┬───────────────────────┐
///   │ closes │dealt│ kind  │ number modulo 2^48    │
///   └────────┴─────┴───────┴───────────────────────┘
///
/// Records of a link are numbered without a gap. A serial row hands one item at a time to a parallel child and waits
/// for its results. `closes` is how many enclosing rows have all results of their item with this record: 0 on links
/// outside any row. A stage in replicas is such a region too: each record that is dealt to one of them is closed by
/// the last output that it leads to. So are branches, each of which answers every record.
///
/// A record that is dealt is for one consumer of its link; the others step over it. Its sequence word says for which:
///
///    63      48 47                               0
///   ┌──────────┬──────────────────────────────────┐
///   │ consumer │ sequence number                  │
///   └──────────┴──────────────────────────────────┘
constexpr std::uint64_t kNumberBits = 48;
constexpr std::uint64_t kClosesShift = 56;
constexpr std::uint64_t kNumberMask = (std::uint64_t{1} << kNumberBits) - 1;
constexpr std::uint64_t kDealt = std::uint64_t{1} << (kClosesShift - 1);
constexpr std::uint64_t kConsumerShift = 48;
constexpr std::uint64_t kDealtSequenceMask = (std::uint64_t{1} << kConsumerShift) - 1;

constexpr std::uint64_t pack_header_word(std::uint64_t number, RecordKind kind, std::uint8_t closes) {
  return (number & kNumberMask) | std::uint64_t{static_cast<std::uint8_t>(kind)} << kNumberBits |
         std::uint64_t{closes} << kClosesShift;
}
constexpr std::uint64_t number_in(std::uint64_t header_word) {
  return header_word & kNumberMask;
}
constexpr bool has_number(std::uint64_t header_word, std::uint64_t number) {
  return ((header_word ^ number) & kNumberMask) == 0;
}
constexpr RecordKind kind_in(std::uint64_t header_word) {
  return static_cast<RecordKind>((header_word >> kNumberBits) & 0x7f);
}
/// As kind_in(), and no RecordKind at all if the record is dealt.
constexpr RecordKind plain_kind_in(std::uint64_t header_word) {
  return static_cast<RecordKind>((header_word >> kNumberBits) & 0xff);
}
constexpr bool is_dealt(std::uint64_t header_word) {
  return (header_word & kDealt) != 0;
}
constexpr std::uint8_t closes_in(std::uint64_t header_word) {
  return static_cast<std::uint8_t>(header_word >> kClosesShift);
}

/// Bytes of the ring that a record takes.
constexpr std::uint64_t record_bytes(std::size_t payload) {
  return sizeof(RecordHeader) + round_up(payload, kRecordAlign);
}

/// The payload of a large_item.
struct LargePayload {
  std::uint64_t position;  ///< in the large area
  std::uint64_t size;      ///< bytes
  std::uint64_t ordinal;   ///< how many large items were written to this link before
  std::uint64_t reserved;
};

/// Positions in a large area may pass 2^64, as an item that goes to its front takes a whole lap: their distance
/// decides.
constexpr bool not_behind(std::uint64_t position, std::uint64_t other) {
  return other - position < std::uint64_t{1} << 63;
}

/// The payload of a reference. It counts for the link as if the item lay here, but `place` has no bytes.
struct LargeReference {
  LargePayload place;      ///< what a copy would have taken in this link's large area
  std::uint64_t link;      ///< upstream of this one, where the bytes are
  std::uint64_t position;  ///< in that link's large area
  std::uint64_t input;     ///< number of the producer's input that stays unreleased as long as this record
  std::uint64_t reserved;
};

inline constexpr std::uint32_t kRunBits = 64;     ///< of RunHead::sequences
inline constexpr std::uint32_t kMostInRun = 512;  ///< items

/// What a run's payload begins with. The items of a run are of one size, entered together, and came of different
/// inputs; each has a number of its own, counted on from the header's. So a small item costs little more memory than it
/// has bytes. The last item closes what the header says, each other one `closes_each` of it.
struct RunHead {
  /// Bit i: the run has the item with sequence number `RecordHeader::sequence` + i. The sequence numbers of more than
  /// kRunBits items have no gaps, and all bits are set.
  std::uint64_t sequences;
  std::uint32_t item_bytes;  ///< payload of each
  std::uint16_t items;       ///< at most kMostInRun
  std::uint8_t closes_each;  ///< of branches, which answer every item
  std::uint8_t reserved;
};

/// RunHead::sequences of this many items whose numbers have no gaps.
constexpr std::uint64_t low_bits(std::uint32_t items) {
  return items == 0 ? 0 : ~std::uint64_t{0} >> (kRunBits - (items < kRunBits ? items : kRunBits));
}

static_assert(sizeof(RecordHeader) == 32);
static_assert(sizeof(LargePayload) == 32 && sizeof(LargeReference) == 64);
static_assert(sizeof(RunHead) == 16 && sizeof(RunHead) % kRecordAlign == 0);

}  // namespace pystream::shm
