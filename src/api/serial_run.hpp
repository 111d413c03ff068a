#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "api/run.hpp"
#include "api/serial_chain.hpp"
#include "api/session.hpp"
#include "shm/ring_reader.hpp"
#include "shm/ring_writer.hpp"

namespace pystream::api {

/// What has come out of a serial pipeline and was not read. Thread-safe.
class ResultBox final : public Output {
 public:
  explicit ResultBox(const SerialOptions& options)
      : on_result_(options.on_result),
        all_(options.results == Results::all),
        limit_(options.results_limit),
        block_(options.block_output),
        timeout_(options.output_timeout) {}

  std::span<std::byte> reserve(std::size_t size) override;
  void emit_reserved(std::size_t size) override;
  void forward(const Item& in) override;

  /// Waits until one more result is welcome; false if none is by then, or `stop` was requested.
  [[nodiscard]] bool wait_for_room(std::chrono::nanoseconds timeout, const std::stop_token& stop);
  [[nodiscard]] bool take(const Decode& decode);
  /// As take(), and what else is there, at most `limit` in all; how many.
  [[nodiscard]] std::size_t take_all(std::size_t limit, const Decode& decode);

 protected:
  void emit_value(const void* value, const ValueType& type) override;

 private:
  void put();
  bool wait_for_one(std::unique_lock<std::mutex>& lock);
  bool there() const { return all_ ? !unread_.empty() : fresh_; }
  void take_one(const Decode& decode);

  std::function<void(const Item&)> on_result_;
  bool all_;
  std::size_t limit_;
  bool block_;
  std::chrono::nanoseconds timeout_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool fresh_ = false;
  std::vector<std::byte> newest_;
  std::vector<std::byte> incoming_;
  std::deque<std::vector<std::byte>> unread_;
};

/// A parallel pipeline inside a serial one: hands one item at a time to its workers and waits for all that becomes of
/// it.
class ChildCall final : public ItemAdapter {
 public:
  ChildCall(Session& session, plan::LinkId to, plan::LinkId from);
  void process(const Item& in, Output& out) override;

 private:
  void send(const Item& in);
  void call(const Item& in, Output& out);

  Session& session_;
  std::int64_t spin_ns_;
  shm::RingWriter to_;
  shm::RingReader from_;
};

/// A serial pipeline in this process. Parallel pipelines inside it have their workers under one coordinator.
class SerialRun final : public Run {
 public:
  SerialRun(PipelineTree& tree, const SerialOptions& options, const PipelineOptions& pipeline);

  bool forward(const void* value, const ValueType& type, const std::stop_token& stop) override;
  std::size_t forward_all(const ValueType& type, const NextValue& next) override;
  std::unique_ptr<LoanSlot> loan(std::size_t size) override;
  bool take_result(const Decode& decode) override { return results_.take(decode); }
  std::size_t take_results(std::size_t limit, const Decode& decode) override {
    return results_.take_all(limit, decode);
  }
  bool drain(std::chrono::nanoseconds timeout) override;
  std::optional<RunTotals> wait(std::chrono::nanoseconds timeout) override;
  /// Of children what the profile database says, of the row what was measured here.
  Profiles profiles() override;
  PipelineStatus status() override;
  /// Of its children: what a stage in this process throws comes out of forward().
  std::optional<LetterSource> letters() const override { return session_ ? session_->letters() : std::nullopt; }
  void stop() override;

 private:
  class Slot;
  using Lock = std::unique_lock<std::timed_mutex>;

  std::vector<StageFigures> row_figures() const;
  void gather(PipelineTree& tree, const std::string& key);
  [[nodiscard]] Lock take_turn();

  SerialOptions options_;
  plan::Plan plan_;
  plan::Topology topology_;
  std::optional<Session> session_;
  ResultBox results_;
  std::vector<std::unique_ptr<StageAdapter>> own_;  ///< calls of children and stages of registered types
  std::vector<ItemAdapter*> row_;
  std::vector<std::string> row_keys_;                      ///< of what is in row_
  std::vector<std::optional<std::uint32_t>> row_numbers_;  ///< number of each among the stages of this process
  std::uint32_t own_stages_ = 0;
  std::size_t children_ = 0;
  std::optional<SerialProfile> profile_;
  std::optional<SerialChain> chain_;
  mutable std::timed_mutex mutex_;
  std::atomic<std::thread::id> lender_{};
  std::atomic<std::thread::id> running_{};
  std::atomic<bool> stopped_{false};
};

}  // namespace pystream::api
