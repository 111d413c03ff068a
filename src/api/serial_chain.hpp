#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <pystream/detail/stage_adapter.hpp>
#include <vector>

#include "api/figures.hpp"
#include "api/serial_profile.hpp"
#include "base/fast_clock.hpp"

namespace pystream::api {

/// Stages that this process calls one after another, without a worker around them. Stages of one output are called in
/// a loop (calls inside calls, one for every stage, cost more than twice as much once they are deeper than the
/// processor predicts returns); a stage of several outputs runs what is behind it for each of them.
///
/// worker::Chain is another such row on purpose: it names the stage at work in shared memory and takes back the counts
/// of an item that is tried again, which nobody here would look at and every call would pay for.
class SerialChain {
 public:
  /// The last stage emits to `out`. `timing`: every stage's time is measured, at the cost of a clock read.
  SerialChain(const std::vector<ItemAdapter*>& stages, Output& out, bool timing);
  /// From now on what is timed also goes there. `numbers`: for each stage its number there; nullopt: it has a profile
  /// of its own.
  void record_to(SerialProfile& profile, const std::vector<std::optional<std::uint32_t>>& numbers);
  ~SerialChain();
  SerialChain(const SerialChain&) = delete;
  SerialChain& operator=(const SerialChain&) = delete;

  /// Runs one value through. An exception of a stage comes out as it is.
  void process(const void* value, const ValueType& type);
  /// The same for bytes.
  void process(std::span<const std::byte> bytes);

  const StageCounts& counts(std::size_t stage) const { return steps_.at(stage).counts; }

 private:
  class StepOutput;

  struct Step {
    ItemAdapter* stage = nullptr;
    const ValueType* takes = nullptr;
    const ValueType* gives = nullptr;
    bool hands_over = false;  ///< what it gives is what the next stage takes, or leaves the chain
    StageCounts counts{};
    std::int64_t spent_ns = -1;             ///< on the item in work; -1: it did not get so far
    std::int64_t ended_ns = 0;              ///< when the stage first handed over
    std::optional<std::uint32_t> number{};  ///< in profile_
    std::vector<std::byte> encoded{};
  };

  void begin();
  void end();
  /// The item comes to stage `index`, or out of the chain.
  void run_from(std::size_t index, Item item);
  Item input_of(Step& step, const void* value, const ValueType& type, bool expiring);
  void lap(Step& step);

  Output& out_;
  bool timing_;
  base::FastClock clock_;
  SerialProfile* profile_ = nullptr;
  std::uint64_t came_out_ = 0;  ///< of the item in work
  Item::Tag tag_{};
  std::uint64_t next_sequence_ = 0;
  std::int64_t last_ns_ = 0;  ///< when the stage in work began or went on
  std::vector<Step> steps_;
  std::vector<std::unique_ptr<StepOutput>> outputs_;  ///< of the stages that cannot give()
};

}  // namespace pystream::api
