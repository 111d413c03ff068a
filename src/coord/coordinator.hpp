#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/event_loop.hpp"
#include "coord/control_socket.hpp"
#include "coord/crash_reporter.hpp"
#include "coord/drain.hpp"
#include "coord/hang_killer.hpp"
#include "coord/interrupts.hpp"
#include "coord/launcher.hpp"
#include "coord/live_status.hpp"
#include "coord/log_line.hpp"
#include "coord/profiler_client.hpp"
#include "coord/run_summary.hpp"
#include "coord/stall_watch.hpp"
#include "coord/stop_signals.hpp"
#include "coord/supervisor.hpp"
#include "coord/worker_commands.hpp"
#include "coord/worker_processes.hpp"
#include "shm/segment.hpp"

namespace pystream::coord {

/// Which part of a plan over several hosts a run is; see plan::cut().
struct PartOfRun {
  std::string run;     ///< of the whole plan: "people-1"
  std::string host;    ///< of the part
  bool first = false;  ///< it has the plan's source
};

/// What a run is made of.
struct RunSetup {
  std::string name = "pipeline";  ///< for people who look for it with `top` and `list`
  const plan::Topology* topology = nullptr;
  plan::RestartPolicy restarts;
  const shm::Segment* segment = nullptr;
  Launcher* launcher = nullptr;
  ProfilerClient* profiler = nullptr;                  ///< none: no profile is written
  std::uint64_t items_limit = 0;                       ///< sources end after so many items; 0: no limit
  std::optional<std::chrono::nanoseconds> duration{};  ///< drain after so long
  /// A drain that takes longer is a stop; none: it takes as long as it does.
  std::optional<std::chrono::nanoseconds> drain_timeout{};
  std::chrono::nanoseconds stop_grace = std::chrono::seconds(2);  ///< what a stopped worker gets for its cleanup()
  /// A line of a worker's standard error, or the coordinator's own word.
  std::function<void(const LogLine& line)> log{};
  /// Called about once a `progress_period` while the pipeline runs.
  std::function<void()> progress{};
  std::chrono::nanoseconds progress_period = std::chrono::seconds(1);
  /// Called once when every worker is ready for the first time.
  std::function<void()> ready{};
  /// Called once when every worker has ended and the run has not failed, while the profile can still be asked for.
  std::function<void()> ended{};
  /// Called once when the run has failed, before the workers are stopped.
  std::function<void(const TerminationReason&)> failed{};
  /// Called once when a drain begins.
  std::function<void()> draining{};
  /// SIGINT, SIGHUP and SIGQUIT are for this process (those that were ignored at its start are not), not for a user's
  /// process in the same terminal.
  bool takes_interrupts = true;
  /// A worker died without being told to; it may be restarted.
  std::function<void(const CrashReport&)> crashed{};
  /// Set: what drains another run pauses this one; only end_input() drains it.
  std::optional<PartOfRun> part{};
};

enum class Outcome { done, failed, interrupted };

/// Runs one pipeline from start to end: starts the workers, watches, restarts and stops them as the Supervisor says.
/// Its members have a subject each: what to do (Supervisor), processes, commands, hangs, crashes, the drain. What is
/// left here is the life of the run: which event goes to which of them, and what the users of the run are told.
/// Single-threaded; takes SIGTERM, SIGINT, SIGHUP and SIGQUIT for itself from now on, so that none of them cuts off
/// what is left to say after run(). Afterwards no process of it is left.
class Coordinator {
 public:
  explicit Coordinator(RunSetup setup);

  /// The first SIGINT, SIGTERM or SIGHUP drains, the second stops at once; see Interrupts.
  Outcome run();

  /// Sources stop, what is inside comes out. A part of a run over several hosts pauses: the end that its sink gets is
  /// cut short (see pystream::cut_short()), and a later run of the part goes on.
  void drain();
  /// As drain(), but for good also in a part. False, and nothing is done: the part has not the plan's source, so that
  /// what is on its way to it would be lost, or it pauses already.
  [[nodiscard]] bool end_input();
  /// Everything ends at once.
  void stop();

  base::EventLoop& loop() { return loop_; }
  const std::optional<TerminationReason>& failure() const { return supervisor_.failure(); }
  const shm::SupervisorView& view() const { return view_; }
  bool runs(plan::WorkerId id) const { return processes_.runs(id); }
  /// False if the worker does not run.
  bool signal_worker(plan::WorkerId id, int signal) { return processes_.signal(id, signal); }
  /// A signal came that drains or stops.
  bool interrupted() const { return interrupted_; }
  /// Its sources were told to end: by drain(), a signal, or `pystream-coord stop`.
  bool drained() const { return drain_.begun(); }
  /// drained(), but not for good.
  bool paused() const { return paused_; }
  /// The drain took longer than RunSetup::drain_timeout.
  bool drain_timed_out() const { return drain_.timed_out(); }
  std::vector<profile::KeySummary> summary() const;
  std::uint32_t restarts() const;
  /// 0 while the worker does not run.
  pid_t pid_of(plan::WorkerId id) const { return processes_.pid_of(id); }
  LiveStatus live_status() const;

 private:
  void begin_drain();
  void perform(const std::vector<Action>& actions);
  void start_worker(const StartWorker& start);
  void stop_workers();
  void stop_at_once();
  void tell_failure();
  void on_bell();
  void on_exit(plan::WorkerId id);
  void on_line(plan::WorkerId id, const std::string& line);
  void on_signal();
  void on_tick();
  std::vector<WorkerView> read_views() const;
  void look_for_stalls(const std::vector<WorkerView>& views, std::chrono::nanoseconds now);
  void tell(const LogLine& line);
  void tell_of_drain();
  void note(const std::string& kind, plan::WorkerId id, profile::Event event = {});
  void note_death(plan::WorkerId id, const CrashReport& report);
  void end_profile();
  std::string answer(std::string_view request);
  std::vector<std::uint32_t> restarts_of_each() const;
  std::chrono::nanoseconds next_deadline() const;

  RunSetup setup_;
  shm::SupervisorView view_;
  Supervisor supervisor_;
  StallWatch stalls_;
  base::EventLoop loop_;
  std::optional<ControlSocket> control_;
  base::UniqueFd bell_;
  StopSignals signals_;
  WorkerProcesses processes_;
  WorkerCommands commands_;
  HangKiller hangs_;
  CrashReporter crashes_;
  Interrupts interrupts_;
  Drain drain_;
  bool stop_requested_ = false;
  bool interrupted_ = false;
  bool paused_ = false;
  bool ready_announced_ = false;
  bool failure_told_ = false;
  bool over_ = false;
  std::chrono::nanoseconds started_{};
  std::chrono::nanoseconds next_progress_{};
};

}  // namespace pystream::coord
