#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "profile/figures.hpp"
#include "profile/link_figures.hpp"
#include "profile/wire.hpp"
#include "shm/segment.hpp"
#include "store/row_writer.hpp"
#include "store/run_store.hpp"

namespace pystream::store {

/// A process beside the workers: makes the database's schema, is the only one that checkpoints, turns the counters in
/// shared memory into windows once a second, writes events, the rows of workers that must not open the database and
/// those that dead workers have left, and answers questions. It begins before the first worker and ends after the last;
/// the coordinator's end of the channel is its only master. What the database does not take now it gets later.
class ProfilerProcess {
 public:
  ProfilerProcess(profile::Channel channel, const shm::Segment& segment);

  /// Returns the exit code of the process.
  int run();

 private:
  struct LinkWatch {
    profile::LinkFigures last;
    std::uint64_t looks = 0;
    double fill_items = 0;
    double fill_bytes = 0;
    std::uint64_t largest_fill_bytes = 0;
    double fill = 0;
    std::int64_t oldest_ns = 0;
  };

  [[nodiscard]] bool begin();
  [[nodiscard]] bool try_begin();
  void start_row_writer();
  void serve();
  /// False after the last message.
  [[nodiscard]] bool handle(const profile::Message& message);
  void look_at_links();
  void close_window(std::int64_t now);
  bool write_windows(std::uint64_t number, std::int64_t now, int patience_ms);
  void reopen_if_moved();
  void retire_old_runs();
  void retire_at_the_end();
  void recover_workers();
  void write_left_rows(std::uint32_t worker, std::int64_t give_up_at);
  void write_all_left_rows();
  void tell_of_lost_rows() const;
  void finish();
  void answer_profiles();

  profile::Channel channel_;
  const shm::Segment& segment_;
  shm::SupervisorView view_;
  profile::RunInfo info_;
  std::optional<RunStore> store_;
  std::map<std::size_t, profile::Figures> written_;  ///< by position in RunStore::keys(): what the database knows
  std::vector<LinkWatch> links_;
  std::deque<profile::Event> events_;
  std::deque<shm::WorkerEnd> ends_;      ///< of the workers whose rows are written here
  std::optional<RowWriter> row_writer_;  ///< until every worker has ended
  bool retiring_ = true;                 ///< there may be old runs to remove
  std::vector<std::uint32_t> restarts_;
  std::string outcome_ = "lost";
  std::string reason_;
  std::int64_t began_ns_ = base::now_ns();
  std::int64_t next_window_ns_ = 0;
  std::int64_t last_write_ns_ = 0;
};

/// The process's life after it was exec'd: signals of the terminal are ignored.
int run_profiler_process(base::UniqueFd channel, base::UniqueFd segment);

}  // namespace pystream::store
