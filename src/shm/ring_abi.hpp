#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/sharing.hpp"
#include "shm/record_abi.hpp"

/// The shared memory of one link. This header is its specification: a change of a field here must raise
/// kAbiVersion (segment_abi.hpp).
///
///   producer page (written by the producer, read by all)
///     write_position    ── commit word; its low half is the futex word on which waiting consumers sleep
///     release_requested ── odd: what a consumer retains for others is to be released as soon as they are done with it
///     journal[2]        ── what the producer had done at a write position
///     input_numbers[2]  ── of a producer that collects from several links: how far it was in each
///     asleep_at[]       ── for each consumer: on which of its releases the producer sleeps
///   consumer page (one for each consumer, written by it, read by all)
///     read_position  ── what may be overwritten, as soon as every consumer says so
///     releases       ── its low half is the futex word on which a waiting producer sleeps
///     asleep_at      ── on which write position the consumer sleeps
///   ring (written by the producer): `ring_bytes`, mapped twice in a row, so that a record is always contiguous
///     ┌────────┬─────────┬─pad─┬────────┬─────────┬───
///     │ header │ payload │ 16  │ header │ payload │ …      position p stands at offset p % ring_bytes
///     └────────┴─────────┴─────┴────────┴─────────┴───
///   large area (written by the producer, sparse): payloads that would fill a good part of the ring. Their record
///     carries a LargePayload instead; payloads are contiguous, position p stands at offset p % large_bytes,
///     which is a power of two. A worker that passes a large item on as it is writes a reference: the payload stays in
///     the large area of a link upstream, and the worker does not release that input before its own reader has
///     released the reference. So everything follows from positions, without counts.
///
///   inbox (written by the consumer, sparse; only on links that drop the oldest): see Inbox
///
/// Positions only grow; those of a large area even past 2^64, as an item that goes to its front takes a whole lap (see
/// not_behind()). Between read_position and write_position lie whole records, numbered without a gap; a run is one
/// record of several items and takes as many numbers as it has items.
namespace pystream::shm {

inline constexpr std::size_t kPage = 4096;
inline constexpr std::size_t kLine = 128;          ///< two cache lines: the prefetcher fetches pairs
inline constexpr std::size_t kMostConsumers = 64;  ///< of one link
inline constexpr std::size_t kMostInputs = 64;     ///< links that one segment reads
inline constexpr std::size_t kCursorBytes = 184;
inline constexpr std::uint64_t kInvalidPosition = ~std::uint64_t{0};

/// What the producer had done when write_position was `write_position`. A commit with output fills the entry that
/// does not match the link's write_position, then stores write_position. A commit without output stores
/// `inputs_done` in the matching entry. So at every instant exactly one entry matches.
struct JournalEntry {
  std::uint64_t write_position;
  std::uint64_t next_number;               ///< number of the next record, or of its first item
  std::uint64_t large_position;            ///< where the next large payload may begin
  std::uint64_t large_ordinal;             ///< of the next large payload
  std::atomic<std::uint64_t> inputs_done;  ///< inputs with a smaller number are done; a source: items given out
  std::uint64_t parts_of;                  ///< `parts_out` counts only if this is equal to `inputs_done`
  std::uint32_t parts_out;                 ///< outputs of input `inputs_done` that are already out
  std::uint32_t flags;                     ///< kJournal…
  std::uint64_t outputs;                   ///< items (not tombstones) written so far, for counters
  std::uint64_t cycles;                    ///< items of the worker's row that this segment is through with
  std::byte cursor[kCursorBytes];          ///< of the source or sink in this segment of the worker's row
};

inline constexpr std::uint32_t kJournalEnded = 1;  ///< the end record is out
/// Two numbers of eight bits in JournalEntry::flags: the consumer that the next record is dealt to, and, of a segment
/// that collects from several links, the link whose turn it is.
inline constexpr std::uint32_t kJournalDealShift = 8;
inline constexpr std::uint32_t kJournalCollectShift = 16;
constexpr std::uint32_t small_number_in(std::uint32_t flags, std::uint32_t shift) {
  return flags >> shift & 0xff;
}

/// REQUIRES: written by one process at a time; the coordinator starts a successor only after reaping.
struct ProducerPage {
  /// Release store (label: COMMIT) after the records and the journal entry; acquire load by the consumer.
  alignas(kLine) std::atomic<std::uint64_t> write_position;
  /// Number of the first item not yet committed; relaxed, for counters and the fill shown to people.
  std::atomic<std::uint64_t> written_number;
  std::atomic<std::uint64_t> dropped;  ///< items thrown away because the link was full (drop_newest)
  /// Links that drop the oldest: everything before this position may be overwritten at any moment. Stored before the
  /// first byte is overwritten (label: EVICT); the consumer looks at it after it has copied a record.
  std::atomic<std::uint64_t> tail_position;
  std::atomic<std::uint64_t> large_written;  ///< ordinal of the first large record not yet committed; relaxed
  /// Items that may be in the link by the time bound at present; 0: there is no bound. Relaxed: a hint as to when the
  /// producer is worth waking, and for people.
  std::atomic<std::uint64_t> time_limit;
  alignas(kLine) std::atomic<std::uint64_t> populated;  ///< bytes of the large area that have memory
  /// Odd since the producer, or one upstream of it, found no room for a record; even again once it looks and finds
  /// some. Its low half is a futex word: a consumer that waits for input and retains some for others sleeps on it too
  /// (label: SLEEP). To leave it odd costs wake-ups and nothing else.
  std::atomic<std::uint64_t> release_requested;
  alignas(kLine) JournalEntry journal[2];
  /// Of a segment that collects from several links: number of the first record of each that is not done. Belongs to the
  /// journal entry with the same index.
  std::uint64_t input_numbers[2][kMostInputs];
  /// asleep_on() the `releases` of that consumer, by its index, while the producer sleeps there (label: SLEEP); 0: not.
  /// A word each, so that the others need not call.
  alignas(kLine) std::atomic<std::uint64_t> asleep_at[kMostConsumers];
};

/// REQUIRES: as for ProducerPage.
struct ConsumerPage {
  /// Release store (label: RELEASE) after the last use of the bytes before it; acquire load by the producer.
  alignas(kLine) std::atomic<std::uint64_t> read_position;
  std::atomic<std::uint64_t> read_number;     ///< number of the first record not yet released; stored before
  std::atomic<std::uint64_t> large_released;  ///< the large area before this position is free; stored before
  std::atomic<std::uint64_t> large_ordinal;   ///< large payloads with a smaller ordinal are free; stored before
  std::atomic<std::uint64_t> overrun;         ///< records that were overwritten before they were read (drop_oldest)
  /// Items and large payloads that are done. Some may have to stay, because the consumer's output refers to them or
  /// because the rest of their run is not done: they count for no limit of items in this link. Stored before.
  std::atomic<std::uint64_t> done_number;
  std::atomic<std::uint64_t> done_large;
  /// One more with each release, be it of memory or of room under a limit; release store after all of the above.
  std::atomic<std::uint64_t> releases;
  /// Items that the consumer may have to see before it is done with the first of them; relaxed, for the time bound.
  std::atomic<std::uint64_t> wanted_at_once;
  /// asleep_on() the write position that the consumer saw, while it sleeps (label: SLEEP); 0: awake.
  alignas(kLine) std::atomic<std::uint64_t> asleep_at;
};

/// A link that drops the oldest may overwrite any record at any moment, so its consumer copies a record here and
/// works, and after a crash works again, on the copy.
struct Inbox {
  /// Number + 1 of the record in the inbox. Release store (label: CLAIM) after all of it; 0: none yet.
  std::atomic<std::uint64_t> claimed;
  std::uint64_t kind;
  std::uint64_t size;
  std::uint64_t sequence;
  std::uint64_t part;
  std::int64_t entered_ns;
  std::uint64_t next_position;  ///< of the record behind it
};
inline constexpr std::uint64_t kInboxPayload = kPage;  ///< offset of the payload in the inbox

static_assert(sizeof(JournalEntry) == 256);
static_assert(offsetof(JournalEntry, inputs_done) == 32 && offsetof(JournalEntry, cursor) == 72);
static_assert(sizeof(ProducerPage) <= kPage && sizeof(ConsumerPage) <= kPage);
static_assert(offsetof(ProducerPage, journal) == 2 * kLine && offsetof(ProducerPage, input_numbers) == 6 * kLine &&
              offsetof(ProducerPage, asleep_at) == 14 * kLine);
static_assert(kMostConsumers <= 256 && kMostInputs <= 256);  // a number of eight bits in the flags
static_assert(offsetof(ConsumerPage, asleep_at) == kLine);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free && sizeof(std::atomic<std::uint64_t>) == 8);

}  // namespace pystream::shm
