#pragma once

#include <cstdint>
#include <memory>
#include <pystream/hosted.hpp>
#include <vector>

namespace pystream::api {

/// Stages that this process calls one after another, without a worker around them. What one emits is the next one's
/// input at the cost of a function call. Unlike worker::Chain it knows nothing of links, commits and counters in
/// shared memory.
class SerialChain {
 public:
  /// Time and number of what one stage did; see StageFigures.
  struct Counts {
    std::uint64_t items = 0;
    std::uint64_t timed = 0;
    std::uint64_t timed_ns = 0;
    std::uint64_t age_ns = 0;
    std::int64_t first_end_ns = 0;
    std::int64_t last_end_ns = 0;
  };

  /// The last stage emits to `out`. `timing`: every stage's time is measured, at the cost of a clock read.
  SerialChain(std::vector<Hosted*> stages, Output& out, bool timing);
  ~SerialChain();
  SerialChain(const SerialChain&) = delete;
  SerialChain& operator=(const SerialChain&) = delete;

  /// Runs one value through. An exception of a stage comes out as it is.
  void process(const void* value, const ValueType& type);
  /// The same for bytes.
  void process(std::span<const std::byte> bytes);

  std::size_t size() const { return steps_.size(); }
  const Counts& counts(std::size_t stage) const;

 private:
  class Step;

  void begin();
  void run(const Item& item);

  Item::Tag tag_{};
  std::uint64_t next_sequence_ = 0;
  Hosted* front_;
  const ValueType* front_takes_;
  bool timing_;
  std::int64_t last_ns_ = 0;  ///< when the stage in work began or went on
  std::vector<std::unique_ptr<Step>> steps_;
  std::vector<std::byte> scratch_;
};

}  // namespace pystream::api
