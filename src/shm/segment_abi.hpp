#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <pystream/enums.hpp>

#include "shm/profile_abi.hpp"
#include "shm/ring_abi.hpp"

/// The shared memory of one pipeline apart from its links.
///
///   ┌ SegmentHeader, its tables, plan text                             ┐ coordinator writes once, then nobody
///   ├ ProfileConfig                                                    ┤ coordinator writes before the first start
///   ├ ControlPage  per worker                                          ┤ coordinator writes, its worker reads
///   ├ WorkerPage, StageStats[tracked], checkpoints   per worker        ┤ the worker writes, coordinator reads
///   ├ rows and batches of its profile                per worker        ┤ the worker writes; see profile_abi.hpp
///   └ ProducerPage, ConsumerPages, ring, large area  per link          ┘ see ring_abi.hpp
///
/// Every part begins on a page of its own, because a worker maps read-only what it does not own.
namespace pystream::shm {

inline constexpr std::uint64_t kMagic = 0x6d61657274737970;  // "pystream"
inline constexpr std::uint32_t kAbiVersion = 13;

/// Behind it stand WorkerEntry[workers], LinkEntry[links] and ConsumerEntry[consumers].
struct SegmentHeader {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t header_bytes;  ///< size of this struct
  std::uint64_t total_bytes;
  std::uint64_t table_bytes;  ///< header, tables and plan, rounded up to pages
  std::uint32_t workers;
  std::uint32_t links;
  std::uint64_t plan_offset;
  std::uint64_t plan_bytes;
  std::uint64_t config_offset;  ///< of the ProfileConfig
  std::uint32_t consumers;      ///< of all links
  std::uint32_t reserved;
};

struct WorkerEntry {
  std::uint64_t control_offset;
  std::uint64_t page_offset;
  std::uint64_t checkpoint_offset;  ///< two copies for each segment of the worker's row, one after another
  std::uint64_t checkpoint_bytes;   ///< of one copy, CheckpointHeader included; a multiple of the page; 0: none
  std::uint64_t profile_offset;     ///< RowPage, batches of each segment, rows
  std::uint64_t batch_bytes;        ///< of one segment's Batch with all that belongs to it; a multiple of the page
  std::uint64_t rows;               ///< a power of two; 0: none
  std::uint32_t stages;             ///< of this worker
  std::uint32_t tracked;            ///< as many StageStats follow its WorkerPage: its stages, and the main pipeline
                                    ///< if items leave it here
  std::uint32_t samples;            ///< a batch can hold
  std::uint32_t segments;
};

/// How a link's producer answers its inputs.
enum class Answers : std::uint32_t {
  as_it_likes = 0,
  each = 1,  ///< every input is answered, by a tombstone if need be
  one = 2,   ///< likewise, and by one item at most
};

struct LinkEntry {
  std::uint64_t producer_offset;
  std::uint64_t ring_offset;
  std::uint64_t ring_bytes;  ///< a power of two; 0: a terminal link that only carries a sink's journal
  std::uint64_t large_offset;
  std::uint64_t large_bytes;
  std::uint64_t inbox_offset;
  std::uint64_t inbox_bytes;    ///< 0: not a link that drops the oldest
  std::uint64_t item_limit;     ///< bytes of the largest item
  std::uint64_t items_limit;    ///< items in the link at once; 0: as many as fit
  std::uint64_t large_limit;    ///< large items in the link at once
  std::uint64_t time_limit_ns;  ///< the link holds at most what its consumers process in this time; 0: no bound
  std::uint32_t producer;
  std::uint32_t first_consumer;  ///< index of its first ConsumerEntry; the others follow
  std::uint32_t consumers;       ///< at least 1, of a link that drops the oldest exactly 1; see takers()
  std::uint32_t answers;         ///< Answers
  std::uint32_t overflow;        ///< Overflow
  std::uint32_t sharing;         ///< Sharing
};

/// How many of the consumers take records: all but the one that follows the dealing.
constexpr std::uint32_t takers(const LinkEntry& link) {
  return link.consumers - (is_followed(static_cast<Sharing>(link.sharing)) ? 1 : 0);
}

struct ConsumerEntry {
  std::uint64_t page_offset;
  std::uint32_t worker;
  std::uint32_t reserved;
};

using pystream::Overflow;
static_assert(static_cast<int>(Overflow::block) == 0 && static_cast<int>(Overflow::drop_newest) == 1 &&
              static_cast<int>(Overflow::drop_oldest) == 2);

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
  std::atomic<std::uint32_t> give_up;  ///< 1: that input is not tried again
  /// Inputs of that segment before this one, done or not, may have been in a stage already; set before each start.
  std::atomic<std::uint64_t> seen_until;
  /// Inputs of that segment before this one are tried one by one; set before each start.
  std::atomic<std::uint64_t> isolate_until;
  std::atomic<std::uint64_t> items_limit;  ///< a source ends after this many items; 0: no limit
  // Where and how they died; set before each start.
  std::atomic<std::uint32_t> died_segment;  ///< segment of the row whose input it was
  std::atomic<std::uint32_t> died_stage;    ///< of the row, from 0
  std::uint32_t died_signal;                ///< 0: none
  std::uint32_t death_bytes;
  std::array<char, kDeathText> death_text;  ///< for the dead letter: the reason in the first line, then the stack
  /// 1: the worker has failed for good. It makes no stage any more, and only ends its last output; set before each
  /// start.
  std::atomic<std::uint32_t> only_ends;
  /// Not 0: the end of the items is not the end of the input. Stored before the command or the start that brings the
  /// end about, so that each worker that sees this end sees it.
  std::atomic<std::uint32_t> cut_short;
};

enum class Phase : std::uint32_t {
  absent = 0,
  starting = 1,  ///< attaching, making its stages
  waiting = 2,   ///< for input
  working = 3,   ///< in a stage's code
  blocked = 4,   ///< the output link is full
  cleaning = 5,  ///< the input has ended; cleanup() runs
  finished = 6,  ///< exits with 0
  failed = 7,    ///< `failure` says why; exits with 1
};

enum class FailureKind : std::uint32_t { none = 0, start = 1, item = 2, link = 3, memory = 4 };

inline constexpr std::size_t kFailureText = 1024;

inline constexpr std::size_t kCrashFrames = 32;
inline constexpr std::size_t kCrashModules = 8;
inline constexpr std::size_t kModulePath = 240;

/// What a worker's signal handler leaves behind. Written with plain stores in the handler.
struct CrashRecord {
  /// Release store after `code`, `address` and `thread`, before the stack is walked, which may fail; 0: no crash.
  std::atomic<std::uint32_t> signal;
  std::int32_t code;      ///< si_code
  std::uint64_t address;  ///< si_addr, of signals that have one
  std::uint64_t thread;
  std::atomic<std::uint32_t> frames;  ///< release store after each frame
  std::uint32_t modules;
  /// Return addresses, the faulting instruction first. `place`: offset in the module, its index + 1 in bits 56-63.
  struct Frame {
    std::uint64_t address;
    std::uint64_t place;
  } frame[kCrashFrames];
  char module[kCrashModules][kModulePath];  ///< paths of files, each with a zero at its end
};
inline constexpr int kModuleShift = 56;
/// Value of CrashRecord::signal if a worker was asked for its stack, and no signal was about to end it.
inline constexpr std::uint32_t kStackOnRequest = 0xffff;

/// What a worker knows of its own death before it comes.
enum class DeathCause : std::uint32_t { unknown = 0, memory_limit = 1 };

inline constexpr std::size_t kGivenUpText = 480;

/// An item that a stage could not process and that is not tried again.
struct GivenUpItem {
  std::uint64_t sequence;
  std::uint32_t stage;  ///< of the worker, from 0
  std::uint32_t attempts;
  std::uint32_t text_bytes;
  std::array<char, kGivenUpText> text;  ///< why
};

/// Written by the worker, read by the coordinator and by tools. Untrusted when read.
struct WorkerPage {
  /// Release store after what it tells of; acquire load.
  alignas(kLine) std::atomic<std::uint32_t> phase;
  std::atomic<std::uint32_t> stage;  ///< which of the row is in work, from 0
  /// ControlPage::incarnation + 1 once this start of the worker has attached; what stands here before is a
  /// predecessor's. Release store; acquire load.
  std::atomic<std::uint32_t> incarnation;
  std::atomic<std::uint32_t> segment;   ///< of the row, whose input `number` is
  std::atomic<std::uint64_t> number;    ///< input number in work; kInvalidPosition: none
  std::atomic<std::uint64_t> sequence;  ///< its sequence number
  std::atomic<std::uint64_t> commits;   ///< batches committed since the pipeline began
  /// How many are in work together: of a stage that answers later, or takes a run of items in one call; 0 is 1.
  /// `number` is the oldest of them, not surely the one that kills. Stored after it: who is killed in between has not
  /// begun with more, or is said to have been at a few too many.
  std::atomic<std::uint32_t> in_flight;
  std::atomic<std::int64_t> first_commit_ns;             ///< of this start of the worker (CLOCK_MONOTONIC); 0: none yet
  alignas(kLine) std::atomic<std::uint64_t> waiting_ns;  ///< for input, since the first one
  std::atomic<std::uint64_t> blocked_ns;  ///< on a full output link, since its consumer was done with a first item
  std::atomic<std::uint64_t> working_ns;
  std::atomic<std::int64_t> first_end_ns;  ///< when the first and the last item was done (CLOCK_MONOTONIC)
  std::atomic<std::int64_t> last_end_ns;
  std::atomic<std::uint64_t> losses;     ///< reported by report_loss() since the pipeline began
  std::atomic<std::uint64_t> surviving;  ///< surviving_number()
  alignas(kLine) std::atomic<std::uint32_t> failure_kind;
  std::uint32_t failure_bytes;
  std::uint64_t failure_sequence;  ///< kInvalidPosition: no item
  std::array<char, kFailureText> failure_text;
  alignas(kLine) CrashRecord crash;
  alignas(kLine) std::atomic<std::uint32_t> death_cause;  ///< DeathCause; set before the death
  std::atomic<std::uint32_t> takes_stack_requests;        ///< 1: kStackSignal makes it fill `crash` and go on
  std::atomic<std::uint32_t> stack_answers;               ///< how often it did; release store behind the record
  /// Items that were given up since the pipeline began; number n stands at (n - 1) % 2 before it is counted (release).
  std::atomic<std::uint64_t> given_up;
  std::array<GivenUpItem, 2> given_up_items;
};

/// A WorkerPage takes so many bytes, and the worker's StageStats follow it.
inline constexpr std::uint64_t kWorkerPageBytes = 2 * kPage;

/// In front of each of the two copies of a segment's checkpointed state. The copy whose `inputs_done` equals the
/// journal's counts.
struct CheckpointHeader {
  std::uint64_t inputs_done;
  std::uint64_t bytes;  ///< that follow: for each stage with state its size (u64) and its bytes
};

static_assert(sizeof(SegmentHeader) == 72 && sizeof(WorkerEntry) == 72 && sizeof(LinkEntry) == 112 &&
              sizeof(ConsumerEntry) == 16);
static_assert(sizeof(ControlPage) <= kPage && sizeof(WorkerPage) <= kWorkerPageBytes);

}  // namespace pystream::shm
