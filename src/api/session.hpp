#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <pystream/error.hpp>
#include <pystream/options.hpp>
#include <pystream/status.hpp>
#include <vector>

#include "api/coordinator_process.hpp"
#include "api/given_up_watch.hpp"
#include "api/letter_source.hpp"
#include "api/news.hpp"
#include "api/stage_tree.hpp"
#include "api/worker_lines.hpp"
#include "coord/output_locks.hpp"
#include "setup/link_names.hpp"
#include "shm/segment.hpp"

namespace pystream::api {

/// How long the user's process sleeps at most before it checks that its coordinator lives.
inline constexpr std::chrono::nanoseconds kLookPeriod = std::chrono::milliseconds(20);

/// A running pipeline with workers, as the user's process holds it: its shared memory, its coordinator, and whether
/// both are well. Thread-safe.
class Session {
 public:
  /// Starts everything and returns when all workers are ready. Throws PipelineInitiationError; then nothing is left.
  Session(PipelineTree& tree, const ParallelOptions& options, const PipelineOptions& pipeline);
  /// As stop().
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const plan::Topology& topology() const { return topology_; }
  const shm::Segment& segment() const { return *segment_; }
  const shm::SupervisorView& view() const { return view_; }
  pid_t coordinator() const { return coordinator_->pid; }

  /// Also checks the coordinator, if that was not done for kLookPeriod. `now_ns`: CLOCK_MONOTONIC.
  void check(std::int64_t now_ns);
  /// As check(), without throwing: true if the pipeline has failed.
  bool failed(std::int64_t now_ns);

  /// Does something with links of this process. The error of one that is damaged names it.
  template <class Work>
  decltype(auto) on_links(const Work& work) const {
    return setup::naming_links(topology_, work);
  }

  /// Workers' processes and restarts, by WorkerId. Throws PipelineTerminated.
  std::vector<Message::Worker> workers();
  /// From the profile database. Throws ProfilingError, PipelineTerminated.
  Profiles profiles();
  /// Where the dead letters of this run are; nullopt: there can be none yet.
  std::optional<LetterSource> letters() const;
  /// Asks the source to end. REQUIRES: there is one.
  void drain();
  /// Waits until the source has ended and every worker behind it; what became of the items, nullopt: not in time.
  /// Throws PipelineTerminated.
  [[nodiscard]] std::optional<RunTotals> wait(std::chrono::nanoseconds timeout);
  /// Ends all processes and reaps the coordinator; tells of everything that was not told yet. Idempotent.
  void stop();

 private:
  void claim_files(const PipelineTree& tree);
  RunTotals totals() const;
  void create_segment(PipelineTree& tree, const ParallelOptions& options);
  void start(PipelineTree& tree, const ParallelOptions& options);
  void wait_until_ready(std::chrono::nanoseconds patience);
  bool wait_for_channel(std::chrono::nanoseconds patience) const;
  bool wait_for_end(std::chrono::nanoseconds patience) const;
  void look();
  void look_at_given_up(bool at_end);
  void take(const Message& message);
  void note_death();
  void stop_coordinator();
  /// Asks the coordinator and waits for its answer. REQUIRES: mutex_ is held.
  Message ask(Message::Kind question, Message::Kind answer, std::chrono::nanoseconds patience);
  [[noreturn]] void throw_failure();

  plan::Plan plan_;
  plan::Topology topology_;
  std::optional<shm::Segment> segment_;
  base::PrivateMark segment_mark_;
  shm::SupervisorView view_;
  std::optional<CoordinatorChild> coordinator_;

  std::filesystem::path worker_program_;
  std::chrono::nanoseconds stop_grace_;
  WorkerLines lines_;
  News news_;
  std::optional<coord::OutputLocks> outputs_;  ///< of registered stages

  std::mutex mutex_;  ///< guards the channel and what follows
  GivenUpWatch given_up_;
  std::optional<TerminationReason> failure_;
  std::optional<Message> answer_;
  std::optional<Message> done_;  ///< the last message of a coordinator whose workers have all ended by themselves
  bool ready_ = false;
  bool stopped_ = false;
  std::atomic<bool> failed_{false};
  std::atomic<std::int64_t> looked_at_{0};
};

}  // namespace pystream::api
