#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <pystream/error.hpp>
#include <string>
#include <variant>
#include <vector>

#include "plan/topology.hpp"

/// What to do about workers, as a pure state machine: events and the time go in, actions come out. It starts no
/// process and reads no clock, so storms, back-off and deadlines are tested without sleeping.
namespace pystream::coord {

using Time = std::chrono::nanoseconds;  ///< CLOCK_MONOTONIC

/// What a worker's page says, copied by the coordinator.
struct WorkerView {
  bool finished = false;                ///< Phase::finished
  bool working = false;                 ///< in a stage's code
  bool cleaning = false;                ///< in a stage's cleanup(); everything is committed
  std::uint32_t stage = 0;              ///< in work, index within the worker
  std::uint32_t segment = 0;            ///< of the worker's row, whose input is in work
  std::optional<std::uint64_t> number;  ///< input number in work
  std::uint32_t in_flight = 1;          ///< `number` is the oldest of this many in work; 0 means 1
  std::uint64_t sequence = 0;
  std::uint64_t commits = 0;
  std::string failure;  ///< the worker gave up by itself, for this reason
  std::optional<std::uint64_t> failure_sequence;
  bool start_failed = false;  ///< it gave up before its first item
  bool link_damaged = false;  ///< it gave up because of what it found in a link
};

struct WorkerExit {
  int code = 0;
  int signal = 0;
  WorkerView view;
  std::string cause;  ///< what is known of it beside the signal: "its memory limit of …"; empty: nothing
  std::string stack;  ///< as its crash report tells it; empty: not known
};

/// "item 7", or of several in work "one of 512 items from 7 on"; empty if none was.
std::string items_in_work(const WorkerView& view);
/// Its sequence number, if one item alone is in work.
std::optional<std::uint64_t> item_in_work(const WorkerView& view);

struct StartWorker {
  plan::WorkerId id = 0;
  std::uint32_t incarnation = 0;
  std::optional<std::uint64_t> attempt_number;  ///< input its predecessors died on
  std::uint32_t attempts = 0;                   ///< how often, as far as it counts towards max_attempts
  std::uint32_t deaths = 0;                     ///< how often in all
  std::uint64_t seen_until = 0;                 ///< inputs before this may have been in a stage already
  std::uint64_t isolate_until = 0;              ///< inputs before this are tried one by one
  bool give_up = false;                         ///< not to be tried again
  bool only_ends = false;                       ///< it has failed for good: it only ends its last output
  std::uint32_t segment = 0;                    ///< whose input it is
  std::uint32_t stage = 0;                      ///< the stage they died in
  int signal = 0;                               ///< that killed the last of them
  std::string death;                            ///< how it died, for the dead letter
  std::string stack;
};
/// It hangs.
struct KillWorker {
  plan::WorkerId id = 0;
};
/// After a death: its neighbours may sleep through what it had committed without waking them.
struct WakeNeighbours {
  plan::WorkerId id = 0;
};
/// Every worker is told to stop at once; those that do not obey within `grace` are killed.
struct StopAll {
  std::vector<plan::WorkerId> but{};  ///< these go on until their input ends
};
/// Nothing is left to do: every worker has ended.
struct EndRun {};
struct Report {
  std::string text;                     ///< for the log
  std::string stage{};                  ///< that it is about
  std::optional<std::uint64_t> item{};  ///< that it is about: its sequence number
};
using Action = std::variant<StartWorker, KillWorker, WakeNeighbours, StopAll, EndRun, Report>;

class Supervisor {
 public:
  Supervisor(const plan::Topology& topology, const plan::RestartPolicy& policy);

  std::vector<Action> start(Time now);
  void on_ready(plan::WorkerId id, Time now);
  std::vector<Action> on_exit(plan::WorkerId id, const WorkerExit& exit, Time now);
  /// Handles deadlines and due restarts. `views` are those of all workers.
  std::vector<Action> on_tick(const std::vector<WorkerView>& views, Time now);
  /// The user wants an end at once (the second signal).
  std::vector<Action> on_stop_request();

  /// The coordinator watched no worker for `gap`. No watchdog counts this time.
  void forgive(Time gap);
  /// When on_tick() is due next; nullopt: only after another event.
  std::optional<Time> next_deadline() const;
  const std::optional<TerminationReason>& failure() const { return failure_; }
  std::uint32_t restarts(plan::WorkerId id) const { return workers_.at(id).restarts; }
  /// Every worker is to end at once.
  bool stopping() const { return stopping_; }
  /// This worker is to end at once.
  bool stopping(plan::WorkerId id) const { return stopping_ || workers_.at(id).told_to_stop; }
  bool all_ready() const;
  /// Profile key of a stage by its index within the worker.
  std::string stage_key(plan::WorkerId id, std::uint32_t stage) const;

 private:
  enum class State { idle, starting, running, backing_off, ended };

  /// Inputs that were in work together when their worker died, or in all of several such deaths. They count for the
  /// one that then kills alone.
  struct Suspects {
    std::uint64_t first = 0;
    std::uint64_t end = 0;
    std::uint32_t segment = 0;
    bool outside = false;
    std::uint32_t deaths = 0;

    bool has(std::uint64_t number, std::uint32_t of) const { return of == segment && number >= first && number < end; }
  };

  struct Worker {
    State state = State::idle;
    Time since{};  ///< start, or when the restart is due
    std::uint32_t restarts = 0;
    std::uint32_t fruitless = 0;  ///< deaths in a row without a commit in between
    std::uint64_t commits_at_start = 0;
    std::optional<std::uint64_t> died_on;
    std::uint32_t died_segment = 0;  ///< whose input `died_on` is
    std::uint32_t died_in = 0;       ///< stage that had `died_on` in work, index within the worker
    int died_signal = 0;
    std::string death;  ///< how
    std::string stack;
    std::uint32_t attempts = 0;       ///< deaths on `died_on` that count, alone or among others
    std::uint32_t outside_kills = 0;  ///< SIGKILLs from outside on `died_on`, alone or among others
    std::uint32_t vain_kills = 0;     ///< those of them since a part of it was committed last
    std::uint64_t seen_until = 0;     ///< inputs of `died_segment` before this may have been in a stage
    std::uint64_t isolate_until = 0;  ///< inputs of `died_segment` before this are tried one by one
    Suspects suspects;                ///< of the last such deaths, until one of them died alone
    bool killed_by_us = false;
    Time start_timeout{};
    std::optional<Time> timeout;  ///< shortest of its stages
    // Watchdog: since when nothing moved.
    std::uint64_t seen_commits = 0;
    std::optional<std::uint64_t> seen_number;
    Time seen_at{};
    Time looked_at{};
    std::optional<Time> cleaning_since;
    bool hung_cleaning = false;
    bool only_ends = false;     ///< it, or a stage inside it, has failed for good
    bool told_to_stop = false;  ///< another worker has failed for good, and this one is not behind it
  };

  const plan::FaultPolicy& policy_of(plan::WorkerId id, std::uint32_t stage) const;
  bool is_source(plan::WorkerId id, std::uint32_t stage) const;
  StartWorker start_worker(plan::WorkerId id, Time now);
  std::vector<Action> on_crash(plan::WorkerId id, const WorkerExit& exit, Time now);
  void count_attempt(plan::WorkerId id, const WorkerExit& exit, bool fruitful);
  void suspect(plan::WorkerId id, const WorkerExit& exit, bool fruitful);
  bool too_many_restarts(Time now);
  std::vector<Action> fail(plan::WorkerId id, TerminationReason reason, const WorkerView& view, Time now);
  std::vector<plan::SegmentRef> behind(plan::WorkerId id) const;
  plan::WorkerId last_to_give(plan::WorkerId id) const;
  StartWorker start_last_end(plan::WorkerId id, Time now);
  void end_those_that_do_not_run();
  std::vector<Action> finish_if_over();
  std::string bad_end(plan::WorkerId id, const WorkerExit& exit) const;
  std::vector<Action> on_hung_cleanup(plan::WorkerId id, const WorkerView& view);
  bool watch(plan::WorkerId id, const WorkerView& view, Time now);
  bool watch_cleanup(plan::WorkerId id, const WorkerView& view, Time now);

  const plan::Topology& topology_;
  plan::RestartPolicy policy_;
  std::vector<Worker> workers_;
  std::deque<Time> fruitless_restarts_;
  std::optional<TerminationReason> failure_;
  std::optional<TerminationReason> failed_cleanup_;  ///< the run fails for it, once everything is done
  bool stopping_ = false;
};

}  // namespace pystream::coord
