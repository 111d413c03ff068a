#pragma once

#include <sys/types.h>

#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/event_loop.hpp"
#include "base/unique_fd.hpp"
#include "coord/worker_log.hpp"
#include "plan/topology.hpp"
#include "profile/run_info.hpp"
#include "profile/summary.hpp"
#include "profile/wire.hpp"
#include "shm/segment.hpp"

namespace pystream::coord {

/// What the profiler process has to know of a run. `name`: of the pipeline, for people. `workers_are_forked`: they must
/// not open the database, so the profiler process writes their rows.
profile::RunInfo describe_run(const plan::Plan& plan, const plan::Topology& topology, const std::string& plan_text,
                              const std::string& name, bool workers_are_forked = false);

/// Tells workers where dead letters of a run without a profile go. REQUIRES: no worker was started yet.
void keep_only_letters(const shm::Segment& segment, const profile::RunInfo& info);

/// The coordinator's hand on its profiler process. Neither opens a database in this process. A profiler process that
/// dies is replaced by another, which goes on where it was; workers need none of them, their rows wait.
class ProfilerClient {
 public:
  /// What became of a profiler process that could not begin, or that died too often, and what it writes on its standard
  /// error, for people.
  using Warn = std::function<void(const std::string&)>;

  /// Starts the profiler process, and tells the workers to record rows. Does not wait for the database. The profiler
  /// process is the worker program in another role and no copy of this process: a copy would inherit what SQLite knows
  /// of the connections that this process or a user's program in it has open. REQUIRES: no worker was started yet;
  /// `segment` lives longer.
  static std::unique_ptr<ProfilerClient> spawn(std::filesystem::path worker_program, const shm::Segment& segment,
                                               const profile::RunInfo& info, Warn warn);
  ~ProfilerClient();
  ProfilerClient(const ProfilerClient&) = delete;
  ProfilerClient& operator=(const ProfilerClient&) = delete;

  /// From now until end() it listens to the profiler process, and starts another if it dies.
  void attach(base::EventLoop& loop);

  /// The workers have started: the profiler process, which has kept still for their sake (at most 0.3 s), may begin.
  void workers_started();

  /// Number of the run in the database; 0: not yet, or never.
  std::int64_t run() const;
  /// Why there is no profile; empty: there is one, or will be.
  const std::string& failure() const { return failure_.empty() ? held_ : failure_; }

  void event(const profile::Event& event);
  /// Asks for the figures as they are now, and waits for them; nullopt if there are none.
  std::optional<profile::RunSummary> profiles(int timeout_ms = 5000);
  /// How long end() waits at most for a database that another process locked during the whole run.
  void set_patience_with_others(int milliseconds) { others_ms_ = milliseconds; }
  static constexpr int kEndMs = 20'000;
  /// Every worker has ended: waits until all is written, at most `timeout_ms`, or until `give_up_fd` is readable. What
  /// could not be written is told.
  void end(const std::string& outcome, const std::string& reason, const std::vector<std::uint32_t>& restarts,
           int timeout_ms = kEndMs, int give_up_fd = -1);

 private:
  ProfilerClient(std::filesystem::path worker_program, const shm::Segment& segment, const profile::RunInfo& info,
                 Warn warn);
  void start();
  void listen();
  void stop_listening();
  void hear();
  void read_errors();
  void take(const profile::Message& message);
  void take_ready(const profile::Message& message);
  void replace();
  void give_up(const std::string& why);
  void send_events(std::size_t most_bytes);
  [[nodiscard]] bool wait_until_ready(std::int64_t until_ns, int others_ms);
  bool wait_for_word(std::int64_t until_ns) const;
  void reap(int timeout_ms);

  int give_up_fd_ = -1;  ///< end() stops waiting when it becomes readable
  std::filesystem::path program_;
  const shm::Segment& segment_;
  shm::SupervisorView view_;
  std::string info_;  ///< encoded
  Warn warn_;
  base::EventLoop* loop_ = nullptr;
  base::UniqueFd pidfd_;
  std::optional<profile::Channel> channel_;  ///< none: gave up
  base::UniqueFd errors_;                    ///< of its standard error
  WorkerLog log_;
  bool ready_ = false;
  std::string held_;  ///< why it cannot begin yet; empty: nothing is known of that
  int others_ms_ = 20'000;
  bool workers_started_ = false;
  bool done_ = false;
  std::string failure_;
  std::optional<profile::RunSummary> answer_;
  std::deque<std::string> events_;  ///< encoded, not known to stand in the database; the first sent_ are on their way
  std::size_t sent_ = 0;
  std::uint64_t stored_ = 0;  ///< events before events_.front()
  std::int64_t started_ns_ = 0;
  int quick_deaths_ = 0;
};

}  // namespace pystream::coord
