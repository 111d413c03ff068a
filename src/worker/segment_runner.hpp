#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <pystream/error.hpp>
#include <string>
#include <vector>

#include "plan/plan.hpp"
#include "shm/ring_reader.hpp"
#include "worker/chain.hpp"
#include "worker/cursors.hpp"
#include "worker/limits.hpp"
#include "worker/pace.hpp"
#include "worker/past_death.hpp"
#include "worker/run_lane.hpp"
#include "worker/saved_state.hpp"

namespace pystream::worker {

/// Thrown to unwind a worker that was told to stop at once.
struct Stopped {};

/// A stage gave up on an item and its policy is to fail.
class StageFailed : public Error {
 public:
  StageFailed(std::uint64_t sequence, const std::string& text) : Error(text), sequence_(sequence) {}
  std::uint64_t sequence() const { return sequence_; }

 private:
  std::uint64_t sequence_;
};

/// A source or sink threw in start().
class StartFailed : public Error {
 public:
  using Error::Error;
};

/// Keeps what a stage could not process. store() returns only once the letter is safe.
class DeadLetters {
 public:
  virtual ~DeadLetters() = default;
  struct Letter {
    std::uint32_t hosted = 0;  ///< index in the worker
    std::uint64_t number = 0;  ///< on the stage's input link
    std::uint64_t sequence = 0;
    std::uint32_t part = 0;
    std::uint32_t attempts = 0;
    std::string reason;
    std::span<const std::byte> bytes;
    int signal = 0;  ///< that killed the stage; 0: it threw
    std::string stack;
  };
  virtual void store(const Letter& letter) = 0;
};

/// Where a segment stands in its worker's row.
struct RowPlace {
  bool first = true;
  bool last = true;
  bool alone() const { return first && last; }
};

/// How long items have been in the pipeline, together: one addition for each and one look at the clock for all.
struct Ages {
  std::uint64_t items = 0;
  std::uint64_t entered_ns = 0;  ///< sum, modulo 2^64

  void add(std::uint64_t count, std::int64_t entered) {
    items += count;
    entered_ns += count * static_cast<std::uint64_t>(entered);
  }
  std::int64_t at(std::int64_t now) const {
    return static_cast<std::int64_t>(items * static_cast<std::uint64_t>(now) - entered_ns);
  }
};

/// Faults of a source that have followed one another without anything in between.
struct SourceFaults {
  std::uint32_t in_a_row = 0;
  std::vector<std::byte> cursor;  ///< at the last of them
  std::uint32_t told = 0;         ///< on standard error
};

/// Parts of one segment; see plan::Segment.
struct SegmentParts {
  std::optional<shm::ConsumerEnd> input;
  shm::ProducerEnd output;  ///< of a terminal link if the segment ends in a sink
  std::vector<std::unique_ptr<Hosted>> hosted;
  std::vector<plan::FaultPolicy> faults;  ///< one for each hosted
  bool has_source = false;
  bool has_sink = false;
  RowPlace place;
  std::uint32_t index = 0;         ///< in the worker's row
  std::uint32_t first_hosted = 0;  ///< index of the first among the worker's stages
  std::byte* checkpoints = nullptr;
  std::uint64_t checkpoint_bytes = 0;
  std::int64_t spin_ns = 0;
  const ProcessLimits* limits = nullptr;  ///< nullptr: none
  shm::ProfileArea::Segment profile;
  bool exits = false;                         ///< what comes out here leaves the main pipeline
  std::int64_t expected_item_ns = 1'000'000;  ///< until it is measured; slow, so that the first results leave at once
};

/// Runs one segment of a worker's row: input link (or source) → stages → output link (or sink), and commits.
///
/// Invariants:
/// 1. Input is released only after the commit that includes it, and not while an output record refers to it.
/// 2. A commit holds whole inputs; only when the output link is full is part of one input published, and then the
///    journal says how much.
/// 3. Before anything that may sleep for long, what is done is committed and released.
class SegmentRunner final : public RoomMaker, public SourceGuard {
 public:
  SegmentRunner(SegmentParts parts, Monitor& monitor, DeadLetters& dead_letters);
  ~SegmentRunner() override;

  /// Processes what is there, at most one batch, and commits it. False if there was no input.
  bool run_batch();
  /// Processes one input and commits it; false if there was none. `closed`: the item of the row is complete.
  bool run_one(bool& closed);
  void wait_for_input();
  bool ended() const { return ended_; }
  std::uint64_t cycles() const { return cycles_; }
  void cleanup();

  void make_room() override;
  void run_made(const Item& item) override;
  /// The segments behind this one in its row, which outlive its work.
  void set_behind(std::vector<SegmentRunner*> behind) { behind_ = std::move(behind); }

 private:
  struct AsyncLane;

  bool does_runs() const;
  bool policy_names_each() const;
  std::uint32_t take_some();
  std::uint32_t take_run();
  std::uint32_t run_limit() const;
  std::uint32_t reserve_run();
  void count_run(std::uint32_t items, std::uint32_t given);
  void fail_run(const std::string& reason);
  void tag_item(const shm::Record& record);
  void count_exits(std::uint64_t came_out);
  bool take_next();
  void take(const shm::Record& record);
  void take_item(const shm::Record& record);
  bool take_from_source();
  bool source_is_over() const;
  bool run_some();
  bool goes_on_behind_fault(bool gave_items);
  void leave_out(const std::string& reason);
  template <class Work>
  bool saving_what_is_done(const Work& work);
  void commit_before_failure();
  bool run_async();
  bool alone_in_lane() const;
  bool lane_must_answer();
  void finish_input(std::uint64_t number, std::uint8_t closes);
  void end();
  void process(const shm::Record& record);
  void run_guarded(const shm::Record& record);
  static std::string thrown_text();
  void check_memory_limit() const;
  template <class Stages>
  std::optional<std::string> failure_of(const Stages& stages) const;
  void retry_or_give_up(const shm::Record& record, std::string reason, const std::function<void()>& again);
  const plan::FaultPolicy& policy_in_work() const;
  shm::Record record_of(const Item& made, std::vector<std::byte>& encoded) const;
  void give_up(const shm::Record& record, const std::string& reason, std::uint32_t attempts);
  void set_aside(const shm::Record& record);
  std::uint32_t attempt_at(std::uint64_t number) const { return death_.attempt_at(number); }
  bool is_poison(std::uint64_t number) const { return number == death_.number && death_.give_up; }
  std::uint8_t closes_after(std::uint8_t closes) const;
  void commit();
  bool may_refer() const;
  void release_input();
  void wait_while_referred();
  void finish_batch(std::uint32_t items);
  void finish_slow(std::int64_t began);
  template <class Entry>
  void count_answer(const Entry& entry);
  void share_time(std::int64_t now);
  void set_clock(std::int64_t now);
  void start_clock(std::uint64_t sequence);
  void stop_clock(std::uint64_t input, std::uint64_t came_out);
  std::uint32_t exit_index() const { return monitor_.end().entry.hosted; }
  void prepare_counts();
  void check_stop() const;
  bool run_behind();
  void restore();
  bool begin();

  SegmentParts parts_;
  Monitor& monitor_;
  DeadLetters& dead_letters_;
  profile::Recorder recorder_;
  shm::RingWriter ring_;
  std::optional<shm::RingReader> reader_;
  Flow flow_;
  LinkOutput output_;
  Chain chain_;
  Cursors cursors_;
  SavedState saved_;
  std::unique_ptr<AsyncLane> async_;
  std::optional<RunLane> runs_;
  bool names_each_ = false;  ///< item of a run
  std::vector<SegmentRunner*> behind_;
  SourceFaults source_faults_;

  std::uint64_t inputs_done_ = 0;
  std::uint64_t cycles_ = 0;
  std::uint32_t already_out_ = 0;  ///< of input inputs_done_, by a predecessor
  PastDeath death_;
  std::uint64_t isolate_until_ = 0;  ///< inputs before this go one by one through an AsyncStage
  bool fresh_ = false;               ///< nothing was ever committed: start() is still to be called
  bool ended_ = false;
  bool terminal_ = false;
  bool answer_ = false;
  Pace pace_;
  bool timed_batch_ = true;      ///< every item of the batch in work is timed
  std::int64_t began_ = 0;       ///< when the batch in work began; 0: look
  std::int64_t blocked_ns_ = 0;  ///< since the batch began
  /// The part of it until the consumer was done with its first item. It counts as neither blocked nor working.
  std::int64_t start_up_ns_ = 0;
  std::uint64_t exits_ = 0;     ///< items that left the main pipeline and are not counted yet
  std::int64_t shared_ns_ = 0;  ///< of this batch's time is the stages' already
  Ages ages_;                   ///< of the items of a batch in which not every item is timed
  Ages exit_ages_;              ///< of those that left the main pipeline
};

/// What stages threw, as a text; nothing if they did not. What is no matter of the ones that ran goes on up.
template <class Stages>
std::optional<std::string> SegmentRunner::failure_of(const Stages& stages) const {
  try {
    stages();
    return std::nullopt;
  } catch (const shm::LinkCorrupt&) {
    throw;
  } catch (const Stopped&) {
    throw;
  } catch (const StageFailed&) {
    throw;  // its policy was asked already
  } catch (const StageBroken&) {
    throw;
  } catch (...) {
    check_memory_limit();
    return thrown_text();
  }
}

}  // namespace pystream::worker
