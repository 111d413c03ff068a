#pragma once

#include <cstdint>
#include <memory>
#include <pystream/detail/stage_adapter.hpp>
#include <vector>

#include "worker/link_output.hpp"
#include "worker/monitor.hpp"

namespace pystream::worker {

/// Measures how long each stage of a chain works on one item, the stages behind it not counted.
class StageClock {
 public:
  StageClock(Monitor& monitor, profile::Recorder& recorder, std::uint32_t first, std::size_t stages)
      : monitor_(monitor), recorder_(recorder), first_(first), spent_(stages), starts_(stages) {}

  /// The time is `now`, as the caller has just found.
  void set(std::int64_t now) {
    last_ = now;
    fresh_ = true;
  }
  /// What was set is over: the next item may come at any time from now on.
  void expire() { fresh_ = false; }
  /// An item begins. In a row of timed items one begins when the one before it ends.
  void start(bool timing);
  /// The first stage begins.
  void begin() {
    monitor_.set_stage(first_);
    if (timing_ && current_ != 0) {
      lap();  // another try, after a stage further on has thrown
    }
    current_ = 0;
  }
  /// The stage `index` of the chain begins or goes on; what passed since the last call was the other's.
  void enter(std::size_t index) {
    monitor_.set_stage(first_ + static_cast<std::uint32_t>(index));
    if (timing_) {
      lap();
      if (spent_[index] < 0) {
        spent_[index] = 0;
        starts_[index] = last_;
      }
    }
    current_ = index;
  }
  /// The stage `index` goes on, only to return: what little it still does counts as the other's, and the clock need not
  /// be read, which is most of what timing costs.
  void return_to(std::size_t index) { monitor_.set_stage(first_ + static_cast<std::uint32_t>(index)); }
  /// The item is done: records what each stage spent since start(). `every`: every item is
  /// timed, so the stages' total time and age are the sums.
  void stop(const Item::Tag& tag, std::uint64_t input, bool every);
  bool timing() const { return timing_; }
  /// When the last timed item was done.
  std::int64_t last() const { return last_; }
  /// Time spent waiting for room in the link is no stage's.
  void exclude(std::int64_t ns) { last_ += ns; }

 private:
  void lap();

  Monitor& monitor_;
  profile::Recorder& recorder_;
  std::uint32_t first_;
  std::vector<std::int64_t> spent_;  ///< -1: this item did not get so far
  std::vector<std::int64_t> starts_;
  std::size_t current_ = 0;
  std::int64_t last_ = 0;
  bool timing_ = false;
  bool fresh_ = false;  ///< `last_` is now
};

/// Who runs the stages behind a source on an item that it has made: what they throw is theirs, not the source's.
class SourceGuard {
 public:
  virtual ~SourceGuard() = default;
  virtual void run_made(const Item& item) = 0;
};

/// Sources, stages and sinks that one process calls one after another. What one emits is the next one's input at the
/// cost of a function call; a value is handed over as it is where the next stage takes that type.
///
/// api::SerialChain is another such row on purpose: this one says in the worker's page which stage is at work, so that
/// a death has a name, and counts a stage's items only once the whole item is done, since it may be tried again; a
/// serial pipeline in the caller's process dies with it and tries nothing again, and would pay for both at each call.
class Chain {
 public:
  /// `first`: index of the first stage among the worker's StageStats. `out` is where the last one emits to.
  Chain(std::vector<std::unique_ptr<StageAdapter>> stages, LinkOutput& out, Flow& flow, Monitor& monitor,
        profile::Recorder& recorder, std::uint32_t first);

  /// Runs one item through. An exception of a stage comes out as it is.
  void process(const Item& item);
  /// Lets the source in front emit; false at its end. Each item that it makes goes to the guard.
  bool produce();
  /// REQUIRES: before produce(), if there are stages behind the source; outlives this.
  void set_guard(SourceGuard& guard) { guard_ = &guard; }
  /// An item that the source has made begins: discard_item() goes back to here.
  void begin_made() { kept_counts_ = item_counts_; }
  /// Runs the stages behind the source on it. An exception comes out as it is.
  void process_made(const Item& item) { run_behind(0, item); }

  /// The source in front gave `items`, or the only stage is done with so many more.
  void count_items(std::uint64_t items) { counts_[0] += items; }
  /// The item in work was given to the first stage other than by process().
  void note_given() { ++item_counts_[0]; }
  /// The item in work is done, or is tried again.
  void finish_item();
  void discard_item();
  /// Gives the recorder what was counted of finished items since the last call.
  void flush_counts();
  /// Divides the time of a batch whose items were not all timed among the stages, as the timed items say. `age_ns`: of
  /// those that came to the first stage, together, from the pipeline's entrance to the end of the batch.
  void share_time(std::int64_t ns, std::int64_t age_ns);

  StageClock& clock() { return clock_; }
  const std::vector<std::unique_ptr<StageAdapter>>& stages() const { return stages_; }
  /// In front; nullptr: there is none.
  SourceAdapter* source() const { return source_; }
  /// The only stage, or the sink in its place; nullptr: there are several, or a source.
  ItemAdapter* only_taker() const { return takers_.size() == 1 ? takers_.front() : nullptr; }
  std::uint32_t first() const { return first_; }

 private:
  class Step;

  Output& output_of(std::size_t index);
  void run_behind(std::size_t index, const Item& item);

  std::vector<std::unique_ptr<StageAdapter>> stages_;
  SourceAdapter* source_;
  std::vector<ItemAdapter*> takers_;  ///< the same; nullptr: the source
  LinkOutput& out_;
  profile::Recorder& recorder_;
  std::uint32_t first_;
  StageClock clock_;
  std::vector<std::unique_ptr<Step>> steps_;
  std::vector<std::uint64_t> counts_;       ///< of finished items
  std::vector<std::uint64_t> item_counts_;  ///< of the item in work
  std::vector<std::uint64_t> kept_counts_;  ///< of it, before the stages behind a source began
  SourceGuard* guard_ = nullptr;
  std::vector<std::uint64_t> unshared_;  ///< of items flushed since share_time(), modulo 2^64

 public:
  ~Chain();
};

}  // namespace pystream::worker
