#pragma once

#include <deque>
#include <optional>
#include <pystream/stage.hpp>
#include <string>
#include <utility>

#include "base/clock.hpp"
#include "worker/inputs.hpp"

namespace pystream::worker {

/// The items that an AsyncStage has taken and not yet answered, oldest first, with the marks that travel in order.
class AsyncLane {
 public:
  struct Entry {
    shm::Record record;  ///< its payload stays in the link until released
    Item::Tag tag;
    Inputs::Place after;
    std::int64_t submitted_ns = 0;
    std::optional<std::string> failure{};  ///< what submit() threw
    bool poison = false;                   ///< not to be submitted: it killed the worker too often

    bool has_answer() const { return !poison && !failure && record.kind != shm::RecordKind::tombstone; }
  };

  explicit AsyncLane(AsyncStage& stage) : stage_(stage) {}

  bool empty() const { return entries_.empty(); }
  bool full() const { return entries_.size() >= stage_.capacity(); }
  bool input_ended() const { return input_ended_; }
  const Entry& oldest() const { return entries_.front(); }
  /// The oldest one is answered; where the inputs up to it end.
  Inputs::Place pop() {
    Inputs::Place after = std::move(entries_.front().after);
    entries_.pop_front();
    return after;
  }
  /// collect() threw: that is the oldest item's answer.
  void note_failure(std::string reason) { entries_.front().failure = std::move(reason); }

  std::size_t size() const { return entries_.size(); }

  /// `failure_of`: FaultHandler's.
  template <class FailureOf>
  void submit(const shm::Record& record, std::uint32_t attempt, Inputs::Place after, bool poison,
              const FailureOf& failure_of) {
    Entry& entry = entries_.emplace_back();
    entry.record = record;
    entry.tag = {.sequence = record.sequence, .part = record.part, .attempt = attempt, .entered_ns = record.entered_ns};
    entry.after = std::move(after);
    entry.poison = poison;
    entry.submitted_ns = base::now_ns();
    if (record.kind == shm::RecordKind::end) {
      stage_.finish();
      input_ended_ = true;
    } else if (entry.has_answer()) {
      entry.failure = failure_of([&] { stage_.submit(Item(entry.tag, record.payload)); });
    }
  }
  bool collect(Output& out, std::chrono::nanoseconds wait) { return stage_.collect(out, wait); }
  void flush() { stage_.flush(); }

  /// How long to wait for an answer before looking for further input, which the program may need before it answers.
  std::chrono::nanoseconds patience() const {
    return full() || input_ended_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(1);
  }

 private:
  AsyncStage& stage_;
  std::deque<Entry> entries_;
  bool input_ended_ = false;
};

}  // namespace pystream::worker
