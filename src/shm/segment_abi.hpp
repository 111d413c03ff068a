#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "shm/ring_abi.hpp"

/// What stands in the shared memory of one pipeline beside its links.
///
///   ┌ SegmentHeader, WorkerEntry[workers], LinkEntry[links], plan text ┐ coordinator writes once, then nobody
///   ├ ControlPage  per worker                                          ┤ coordinator writes, its worker reads
///   ├ WorkerPage, HostedStats[hosted], checkpoints   per worker        ┤ the worker writes, coordinator reads
///   └ ProducerPage, ConsumerPage, ring, large area   per link          ┘ see ring_abi.hpp
///
/// Every part begins on a page of its own, because a worker maps read-only what it does not own.
namespace pystream::shm {

inline constexpr std::uint64_t kMagic = 0x6d61657274737970;  // "pystream"
inline constexpr std::uint32_t kAbiVersion = 2;

struct SegmentHeader {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t header_bytes;  ///< size of this struct
  std::uint64_t total_bytes;
  std::uint64_t table_bytes;   ///< header, tables and plan, rounded up to pages
  std::uint32_t workers;
  std::uint32_t links;
  std::uint64_t plan_offset;
  std::uint64_t plan_bytes;
};

struct WorkerEntry {
  std::uint64_t control_offset;
  std::uint64_t page_offset;
  std::uint64_t checkpoint_offset;  ///< two copies for each segment of the worker's row, one after another
  std::uint64_t checkpoint_bytes;   ///< of one copy, CheckpointHeader included; a multiple of the page; 0: none
  std::uint32_t hosted;             ///< stages of this worker: as many HostedStats follow its WorkerPage
  std::uint32_t segments;
};

struct LinkEntry {
  std::uint64_t producer_offset;
  std::uint64_t consumer_offset;
  std::uint64_t ring_offset;
  std::uint64_t ring_bytes;   ///< a power of two; 0: a terminal link that only carries a sink's journal
  std::uint64_t large_offset;
  std::uint64_t large_bytes;
  std::uint64_t inbox_offset;
  std::uint64_t inbox_bytes;  ///< 0: not a link that drops the oldest
  std::uint64_t item_limit;   ///< bytes of the largest item
  std::uint64_t items_limit;  ///< items in the link at once; 0: as many as fit
  std::uint64_t large_limit;  ///< large items in the link at once
  std::uint32_t producer;
  std::uint32_t consumer;
  std::uint32_t answers;      ///< 1: every input is answered, by a tombstone if need be
  std::uint32_t overflow;     ///< Overflow
};

/// What happens to an item for which a link has no room. The same numbers as plan::Overflow.
enum class Overflow : std::uint32_t { block = 0, drop_newest = 1, drop_oldest = 2 };

/// What the coordinator asks of a worker.
enum class Command : std::uint32_t { run = 0, drain = 1, stop = 2 };

inline constexpr std::size_t kDeathText = 2048;

/// Written by the coordinator, read by its worker.
struct ControlPage {
  std::atomic<std::uint32_t> command;      ///< Command; release store, then wake-ups until the worker obeys
  std::atomic<std::uint32_t> incarnation;  ///< how often the worker was started before; set before each start
  /// An input the worker's predecessors died on, and how often; set before each start.
  std::atomic<std::uint64_t> attempt_number;
  std::atomic<std::uint32_t> attempts;
  std::atomic<std::uint32_t> give_up;      ///< 1: that input is not tried again
  std::atomic<std::uint64_t> items_limit;  ///< a source ends after so many items; 0: no limit
  // Where and how they died; set before each start.
  std::atomic<std::uint32_t> died_segment;  ///< segment of the row whose input it was
  std::atomic<std::uint32_t> died_hosted;   ///< stage of the row, from 0
  std::uint32_t death_bytes;
  std::array<char, kDeathText> death_text;  ///< for the dead letter
};

enum class Phase : std::uint32_t {
  absent = 0,
  starting = 1,   ///< attaching, making its stages
  waiting = 2,    ///< for input
  working = 3,    ///< in a stage's code
  blocked = 4,    ///< the output link is full
  cleaning = 5,   ///< the input has ended; cleanup() runs
  finished = 6,   ///< exits with 0
  failed = 7,     ///< `failure` says why; exits with 1
};

enum class FailureKind : std::uint32_t { none = 0, start = 1, item = 2, link = 3, memory = 4 };

inline constexpr std::size_t kFailureText = 1024;

/// Written by the worker, read by the coordinator and by tools. Untrusted when read.
struct WorkerPage {
  /// Release store after what it tells of; acquire load.
  alignas(kLine) std::atomic<std::uint32_t> phase;
  std::atomic<std::uint32_t> hosted;      ///< which stage of the row is in work, from 0
  /// ControlPage::incarnation + 1 once this start of the worker has attached; what stands here before is a
  /// predecessor's. Release store; acquire load.
  std::atomic<std::uint32_t> incarnation;
  std::atomic<std::uint32_t> segment;     ///< of the row, whose input `number` is
  std::atomic<std::uint64_t> number;      ///< input number in work; kInvalidPosition: none
  std::atomic<std::uint64_t> sequence;    ///< its sequence number
  std::atomic<std::uint64_t> commits;     ///< batches committed since the pipeline began
  /// Of a stage that has several in work: how many; `number` is then the oldest, not surely the one that kills.
  std::atomic<std::uint32_t> in_flight;
  alignas(kLine) std::atomic<std::uint64_t> waiting_ns;  ///< for input, since the pipeline began
  std::atomic<std::uint64_t> blocked_ns;
  std::atomic<std::uint64_t> working_ns;
  std::atomic<std::int64_t> first_end_ns;  ///< when the first and the last item was done (CLOCK_MONOTONIC)
  std::atomic<std::int64_t> last_end_ns;
  alignas(kLine) std::atomic<std::uint32_t> failure_kind;
  std::uint32_t failure_bytes;
  std::uint64_t failure_sequence;         ///< kInvalidPosition: no item
  std::array<char, kFailureText> failure_text;
};

/// Log-linear buckets as in HdrHistogram: 16 to an octave, so a value is off by at most 1/32 from its bucket's middle.
inline constexpr std::size_t kSubBuckets = 16;
inline constexpr std::size_t kBuckets = kSubBuckets * 41;

/// Counters of one source, stage or sink. Written by its worker with relaxed stores; kept over restarts.
struct HostedStats {
  std::atomic<std::uint64_t> items;      ///< inputs done (of a source: items given)
  std::atomic<std::uint64_t> outputs;
  std::atomic<std::uint64_t> errors;     ///< items that ended in an exception
  std::atomic<std::uint64_t> timed;      ///< items in the histogram; fewer than `items` where items are sampled
  std::atomic<std::uint64_t> timed_ns;   ///< their sum
  std::atomic<std::uint64_t> min_ns;
  std::atomic<std::uint64_t> max_ns;
  std::atomic<std::uint64_t> histogram[kBuckets];
};

constexpr std::size_t bucket_of(std::uint64_t ns) {
  if (ns < kSubBuckets) {
    return static_cast<std::size_t>(ns);
  }
  const auto octave = static_cast<std::size_t>(std::bit_width(ns)) - 5;  // ns >= 16: at least 0
  const std::size_t bucket = octave * kSubBuckets + static_cast<std::size_t>(ns >> octave);
  return bucket < kBuckets ? bucket : kBuckets - 1;
}
/// The middle of a bucket, in nanoseconds.
constexpr double bucket_middle(std::size_t bucket) {
  if (bucket < 2 * kSubBuckets) {
    return static_cast<double>(bucket);
  }
  const std::size_t octave = bucket / kSubBuckets - 1;
  const double low = static_cast<double>((bucket - octave * kSubBuckets)) * static_cast<double>(std::uint64_t{1} << octave);
  return low + 0.5 * static_cast<double>(std::uint64_t{1} << octave);
}

/// In front of each of the two copies of a segment's checkpointed state. The copy whose `inputs_done` equals the
/// journal's counts.
struct CheckpointHeader {
  std::uint64_t inputs_done;
  std::uint64_t bytes;  ///< that follow: for each stage with state its size (u64) and its bytes
};

constexpr std::uint64_t round_up(std::uint64_t bytes, std::uint64_t unit) { return (bytes + unit - 1) / unit * unit; }

static_assert(sizeof(SegmentHeader) == 56 && sizeof(WorkerEntry) == 40 && sizeof(LinkEntry) == 104);
static_assert(sizeof(ControlPage) <= kPage && sizeof(WorkerPage) <= kPage);
static_assert(bucket_of(15) == 15 && bucket_of(16) == 16 && bucket_of(31) == 31 && bucket_of(32) == 32 &&
              bucket_of(34) == 33 && bucket_of(~std::uint64_t{0}) == kBuckets - 1);

}  // namespace pystream::shm
