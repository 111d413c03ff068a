#pragma once

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/worker_rig.hpp"

/// Workers of one segment, for the tests of this folder.
namespace pystream::worker::test {

using Texts = std::vector<std::string>;

inline std::vector<std::unique_ptr<StageAdapter>> one(std::unique_ptr<StageAdapter> stage) {
  std::vector<std::unique_ptr<StageAdapter>> all;
  all.push_back(std::move(stage));
  return all;
}

inline pystream::test::RigSpec spec_of(pystream::test::RawFunction function) {
  return {.segments = {{.make = [function] { return one(pystream::test::raw(function)); }}}};
}

/// Publishes items of a letter each in one record, of which the last closes `closes` regions, and the others
/// `closes_each`.
inline void feed_run_of_answers(const shm::Segment& segment, std::uint32_t link, const std::string& letters,
                                std::uint8_t closes = 1, std::uint8_t closes_each = 1) {
  shm::RingWriter ring(segment.map_producer(link));
  const auto items = static_cast<std::uint32_t>(letters.size());
  ASSERT_EQ(ring.try_reserve_run(1, items), items);
  std::memcpy(ring.run_start(), letters.data(), letters.size());
  ring.finish_run(1, {.items = items, .sequences = shm::low_bits(items), .closes = closes, .closes_each = closes_each},
                  {.sequence = ring.next_number()});
  ring.commit({.inputs_done = ring.next_number()});
}

/// Answers an item with its bytes and "!", once it has three, or has been asked for what there is.
class Gatherer final : public AsyncStage {
 public:
  /// `most`: of unanswered items, the most that there were at once.
  explicit Gatherer(std::size_t* most = nullptr) : most_(most) {}
  void submit(const Item& in) override {
    unanswered_.push_back(pystream::test::text_of(in));
    if (most_ != nullptr) {
      *most_ = std::max(*most_, unanswered_.size());
    }
  }
  bool collect(Output& out, std::chrono::nanoseconds) override {
    if (unanswered_.empty() || (unanswered_.size() < capacity() && asked_for_ == 0)) {
      return false;
    }
    pystream::test::emit_text(out, unanswered_.front() + "!");
    unanswered_.erase(unanswered_.begin());
    asked_for_ -= asked_for_ > 0 ? 1 : 0;
    return true;
  }
  void flush() override { asked_for_ = unanswered_.size() == capacity() ? 0 : unanswered_.size(); }
  void finish() override { asked_for_ = unanswered_.size(); }
  std::size_t capacity() const override { return 3; }

 private:
  std::size_t* most_;
  std::vector<std::string> unanswered_;
  std::size_t asked_for_ = 0;
};

/// Until nothing is left to do.
inline void run_batches(pystream::test::RiggedWorker& worker) {
  while (worker.runner().run_batch() && !worker.runner().ended()) {
  }
}

}  // namespace pystream::worker::test
