#pragma once

#include <cstdint>
#include <memory>
#include <pystream/hosted.hpp>
#include <vector>

#include "worker/link_output.hpp"
#include "worker/monitor.hpp"

namespace pystream::worker {

/// Measures how long each stage of a chain works on one item, the stages behind it not counted.
class StageClock {
 public:
  StageClock(Monitor& monitor, std::uint32_t first, std::size_t stages)
      : monitor_(monitor), first_(first), spent_(stages), ended_(stages) {}

  void start(bool timing);
  /// The stage `index` of the chain begins or goes on; what passed since the last call was the other's.
  void enter(std::size_t index) {
    monitor_.set_hosted(first_ + static_cast<std::uint32_t>(index));
    if (timing_) {
      lap();
      spent_[index] = spent_[index] < 0 ? 0 : spent_[index];
    }
    current_ = index;
  }
  /// Records what each stage spent since start() on an item that entered the pipeline at `entered_ns`, and gives the
  /// time now (0 without timing).
  std::int64_t stop(std::int64_t entered_ns);
  /// Time spent waiting for room in the link is no stage's.
  void exclude(std::int64_t ns) { last_ += ns; }

 private:
  void lap();

  Monitor& monitor_;
  std::uint32_t first_;
  std::vector<std::int64_t> spent_;  ///< -1: this item did not get so far
  std::vector<std::int64_t> ended_;  ///< when the stage first handed over; 0: not yet
  std::size_t current_ = 0;
  std::int64_t last_ = 0;
  bool timing_ = false;
};

/// Sources, stages and sinks that one process calls one after another. What one emits is the next one's input at the
/// cost of a function call; a value is handed over as it is where the next stage takes that type.
class Chain {
 public:
  /// `first`: index of the first stage among the worker's HostedStats. `out` is where the last one emits to.
  Chain(std::vector<std::unique_ptr<Hosted>> hosted, bool with_source, LinkOutput& out, Flow& flow, Monitor& monitor,
        std::uint32_t first);

  /// Runs one item through. An exception of a stage comes out as it is.
  void process(const Item& item);
  /// Lets the source in front emit; false at its end.
  bool produce();

  /// The source in front gave `items`.
  void count_items(std::uint64_t items) { counts_[0] += items; }
  /// Adds what was counted since the last call to the worker's counters.
  void flush_counts();

  StageClock& clock() { return clock_; }
  const std::vector<std::unique_ptr<Hosted>>& hosted() const { return hosted_; }
  std::uint32_t first() const { return first_; }

 private:
  class Step;

  Output& output_of(std::size_t index);

  std::vector<std::unique_ptr<Hosted>> hosted_;
  LinkOutput& out_;
  Monitor& monitor_;
  std::uint32_t first_;
  StageClock clock_;
  std::vector<std::unique_ptr<Step>> steps_;
  std::vector<std::uint64_t> counts_;

 public:
  ~Chain();
};

}  // namespace pystream::worker
