#include "coord/coordinator.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "base/codec.hpp"
#include "base/fast_clock.hpp"
#include "base/futex.hpp"
#include "base/mutation.hpp"
#include "base/pidfd.hpp"
#include "base/system_error.hpp"
#include "coord/worker_pages.hpp"
#include "worker/past_death.hpp"

namespace pystream::coord {
namespace {

using std::chrono::nanoseconds;
using namespace std::chrono_literals;

constexpr nanoseconds kStopGrace = 2s;  ///< what a stopped worker gets for its cleanup()
/// A tick that is later than this means that the process was stopped (Ctrl-Z, a debugger, a frozen container), and its
/// workers with it.
constexpr nanoseconds kMostLate = 500ms;
// A drain or stop is repeated until it is heard, at first soon: the first call often finds workers about to sleep.
constexpr nanoseconds kFirstNudge = 2ms;
constexpr nanoseconds kLongestNudge = 50ms;
constexpr std::size_t kLastLines = 20;
constexpr std::size_t kLongestLine = 4096;
constexpr int kReadsAtOnce = 32;  ///< of 4 KiB: more than a pipe holds

nanoseconds now() {
  return nanoseconds(base::now_ns());
}

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

}  // namespace

Coordinator::Coordinator(RunSetup setup)
    : setup_(std::move(setup)),
      view_(setup_.segment->map_supervisor()),
      supervisor_(*setup_.topology, setup_.restarts),
      stalls_(*setup_.topology),
      bell_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      signals_(setup_.takes_interrupts),
      workers_(setup_.topology->workers.size()) {
  view_.config->tick_multiplier = base::measure_tick_rate().multiplier;
  if (!bell_) {
    base::throw_errno("cannot create the coordinator's bell");
  }
  try {
    control_.emplace(loop_, [this](std::string_view request) { return answer(request); });
  } catch (const std::system_error& error) {  // another pipeline of this process has it, or there are no sockets
  }
  loop_.add(bell_.get(), [this] { on_bell(); });
  loop_.add(signals_.fd(), [this] { on_signal(); });
}

/// After run() nothing is left to do, unless it ended with an exception.
Coordinator::~Coordinator() {
  for (Worker& worker : workers_) {
    if (worker.running) {
      base::send_signal(worker.process.pidfd, SIGKILL);
    }
  }
  for (Worker& worker : workers_) {
    siginfo_t info{};
    while (worker.running && ::waitid(P_PIDFD, static_cast<id_t>(worker.process.pidfd.get()), &info, WEXITED) != 0 &&
           errno == EINTR) {
    }
  }
}

Outcome Coordinator::run() {
  started_ = now();
  next_progress_ = started_ + setup_.progress_period;
  if (setup_.profiler != nullptr) {
    setup_.profiler->attach(loop_);
  }
  perform(supervisor_.start(started_));
  while (!over_) {
    const nanoseconds due = next_deadline();
    loop_.wait(due);
    if (const nanoseconds late = now() - due; late > kMostLate) {
      supervisor_.forgive(late);
    }
    on_tick();
  }
  if (setup_.ended && !supervisor_.failure() && !stop_requested_) {
    setup_.ended();
  }
  end_profile();
  if (supervisor_.failure()) {
    return Outcome::failed;
  }
  return stop_requested_ ? Outcome::interrupted : Outcome::done;
}

nanoseconds Coordinator::next_deadline() const {
  nanoseconds next = std::min(supervisor_.next_deadline().value_or(now() + 10s), stalls_.next_look());
  next = std::min(next, stack_requests_.next_look(now()).value_or(next));
  if (setup_.progress) {
    next = std::min(next, next_progress_);
  }
  if (setup_.duration && !draining_) {
    next = std::min(next, started_ + *setup_.duration);
  }
  if (nudges()) {
    next = std::min(next, next_nudge_);
  }
  if (drain_ends_ && !supervisor_.stopping()) {
    next = std::min(next, *drain_ends_);
  }
  return next;
}

void Coordinator::on_tick() {
  const nanoseconds time = now();
  const std::vector<WorkerView> views = read_views();
  perform(supervisor_.on_tick(views, time));
  kill_asked(time);
  if (time >= stalls_.next_look()) {
    look_for_stalls(views, time);
  }
  if (setup_.duration && time >= started_ + *setup_.duration) {
    drain();
  }
  if (nudges() && time >= next_nudge_) {
    nudge(time);
  }
  if (!supervisor_.stopping() && drain_ends_ && time >= *drain_ends_) {
    end_drain();
  }
  if (!supervisor_.stopping() && drain_notice_.is_due(time)) {
    tell_of_drain();
  }
  if (setup_.progress && time >= next_progress_) {
    next_progress_ = time + setup_.progress_period;
    setup_.progress();
  }
}

void Coordinator::perform(const std::vector<Action>& actions) {
  for (const Action& action : actions) {
    std::visit(Overloaded{[&](const StartWorker& start) { start_worker(start); },
                          [&](const KillWorker& kill) {
                            workers_[kill.id].killed_by_us = true;
                            ask_and_kill(kill.id);
                          },
                          [&](const WakeNeighbours& wake) {
                            if (!base::mutated(base::Mutation::no_wake_after_death)) {
                              wake_links_of(wake.id);
                            }
                          },
                          [&](const StopAll&) { stop_workers(); },
                          [&](const EndRun&) {
                            over_ = true;
                            tell_failure();
                          },
                          [&](const Report& report) { tell(report.text); }},
               action);
  }
}

void Coordinator::start_worker(const StartWorker& start) {
  write_start(*view_.workers[start.id].control, start, setup_.items_limit);
  Worker& worker = workers_[start.id];
  worker.killed_by_us = false;
  worker.process = setup_.launcher->launch(
      start.id,
      {.segment = setup_.segment->fd(), .bell = bell_.get(), .name = setup_.topology->workers[start.id].name});
  worker.running = true;
  note(start.incarnation == 0 ? "start" : "restart", start.id);
  loop_.add(worker.process.pidfd.get(), [this, id = start.id] { on_exit(id); });
  loop_.add(worker.process.errors.get(), [this, id = start.id] { on_errors(id); });
}

bool Coordinator::signal_worker(plan::WorkerId id, int signal) {
  return workers_.at(id).running && base::send_signal(workers_[id].process.pidfd, signal);
}

void Coordinator::on_bell() {
  std::uint64_t rings = 0;
  [[maybe_unused]] const ssize_t got = ::read(bell_.get(), &rings, sizeof(rings));
  for (plan::WorkerId id = 0; id < workers_.size(); ++id) {
    if (workers_[id].running && is_ready(view_.workers[id])) {
      supervisor_.on_ready(id, now());
    }
  }
  if (!ready_announced_ && supervisor_.all_ready()) {
    ready_announced_ = true;
    if (setup_.ready) {
      setup_.ready();
    }
    if (setup_.profiler != nullptr) {
      setup_.profiler->workers_started();
    }
  }
}

void Coordinator::on_exit(plan::WorkerId id) {
  Worker& worker = workers_[id];
  const auto status = base::try_reap(worker.process.pidfd);
  if (!status) {
    return;
  }
  await_programs(id);
  loop_.remove(worker.process.pidfd.get());
  if (worker.process.errors) {
    loop_.remove(worker.process.errors.get());
  }
  if (!worker.line.empty()) {
    log_line(id, std::exchange(worker.line, {}));
  }
  worker.process = {};
  worker.running = false;
  stack_requests_.remove(id);
  const WorkerView view = read_view(view_.workers[id]);
  const CrashReport report = report_of(id, *status, view);
  if ((status->signal != 0 || status->code != 0 || !view.finished) && !supervisor_.stopping(id)) {
    note_death(id, report);
  }
  perform(supervisor_.on_exit(id,
                              {.code = status->code,
                               .signal = status->signal,
                               .view = view,
                               .cause = report.cause,
                               .stack = stack_text(report)},
                              now()));
}

/// The programs that a dead worker has run are ended by their keepers (workers/core/program_keeper.hpp), which hold its
/// standard error open until they have done so. A successor should not meet them, nor should anybody after the run.
void Coordinator::await_programs(plan::WorkerId id) {
  constexpr nanoseconds kPatience = 1s;  // a process that a stage has left behind on purpose may stay
  constexpr int kLookMs = 10;
  const base::UniqueFd& errors = workers_[id].process.errors;
  const nanoseconds deadline = now() + kPatience;
  on_errors(id);
  while (errors && now() < deadline) {
    pollfd readable{.fd = errors.get(), .events = POLLIN, .revents = 0};
    ::poll(&readable, 1, kLookMs);
    on_errors(id);
  }
}

CrashReport Coordinator::report_of(plan::WorkerId id, const base::ExitStatus& status, const WorkerView& view) {
  Worker& worker = workers_[id];
  const auto& pages = view_.workers[id];
  CrashReport report{.stage = supervisor_.stage_key(id, view.stage),
                     .worker = setup_.topology->workers[id].name,
                     .signal = status.signal,
                     .code = status.code,
                     .hung = worker.killed_by_us,
                     .cause = cause_of_death(id, status),
                     .failure = view.failure,
                     .usage = status,
                     .last_lines = {worker.last_lines.begin(), worker.last_lines.end()}};
  report.in_work = items_in_work(view);
  if (view.number && view.in_flight <= 1) {
    report.item = view.sequence;
    report.attempt = worker::read_past_death(*pages.control, view.segment).attempt_at(*view.number);
  }
  if (is_attached(pages)) {
    read_crash_record(pages.page->crash, report);
  }
  worker.last_lines.clear();
  return report;
}

void Coordinator::note_death(plan::WorkerId id, const CrashReport& report) {
  note("crash", id, {.signal = report.signal, .code = report.code, .sequence = report.item, .text = describe(report)});
  if (setup_.crashed && report.failure.empty()) {
    setup_.crashed(report);
  }
}

void Coordinator::note(const std::string& kind, plan::WorkerId id, profile::Event event) {
  if (setup_.profiler != nullptr) {
    event.time_ns = base::now_ns();
    event.kind = kind;
    event.worker = setup_.topology->workers[id].name;
    setup_.profiler->event(event);
  }
}

std::string Coordinator::answer(std::string_view request) {
  look_for_stalls(read_views(), now());
  if (request == "status") {
    return to_json({}, live_status());
  }
  if (request == "figures") {
    return base::encode(live_status());
  }
  if (request == "drain") {
    drain();
    return "draining";
  }
  if (request == "stop") {
    stop_requested_ = true;
    stop();
    return "stopping";
  }
  return "unknown request";
}

LiveStatus Coordinator::live_status() const {
  LiveStatus status{.pid = ::getpid(),
                    .run = setup_.profiler != nullptr ? setup_.profiler->run() : 0,
                    .name = setup_.name,
                    .state = supervisor_.stopping() || failure()           ? "stopping"
                             : draining_                                   ? "draining"
                             : ready_announced_ || supervisor_.all_ready() ? "running"
                                                                           : "starting",
                    .time_ns = base::now_ns(),
                    .uptime_s = std::chrono::duration<double>(now() - started_).count()};
  add_live_stages(status, *setup_.topology, *setup_.segment, view_);
  for (plan::WorkerId id = 0; id < workers_.size(); ++id) {
    LiveWorker& worker = status.workers.at(id);
    worker.pid = workers_[id].running ? workers_[id].process.pid : 0;
    worker.restarts = supervisor_.restarts(id);
    if (const auto age = stalls_.age(id); age && workers_[id].running) {
      worker.item = items_in_work(read_view(view_.workers[id]));
      worker.item_age_ns = age->count();
    }
    if (!workers_[id].running) {
      worker.phase = "not running";
    }
  }
  return status;
}

void Coordinator::end_profile() {
  if (setup_.profiler == nullptr) {
    return;
  }
  std::vector<std::uint32_t> restarts;
  for (plan::WorkerId id = 0; id < workers_.size(); ++id) {
    restarts.push_back(supervisor_.restarts(id));
  }
  const auto& failure = supervisor_.failure();
  setup_.profiler->end(failure           ? "failed"
                       : stop_requested_ ? "interrupted"
                                         : "done",
                       failure ? failure->text : "", restarts, ProfilerClient::kEndMs, signals_.fd());
}

void Coordinator::log_line(plan::WorkerId id, const std::string& line) {
  Worker& worker = workers_[id];
  worker.last_lines.push_back(line);
  if (worker.last_lines.size() > kLastLines) {
    worker.last_lines.pop_front();
  }
  if (setup_.log) {
    setup_.log(setup_.topology->workers[id].name, line);
  }
}

void Coordinator::on_errors(plan::WorkerId id) {
  Worker& worker = workers_[id];
  if (!worker.process.errors) {
    return;
  }
  char buffer[4096];
  ssize_t got = -1;
  // What a worker floods its standard error with must not keep this process from everything else: a bounded part, and
  // the loop calls again.
  for (int i = 0; i < kReadsAtOnce && (got = ::read(worker.process.errors.get(), buffer, sizeof(buffer))) > 0; ++i) {
    for (const char letter : std::string_view(buffer, static_cast<std::size_t>(got))) {
      if (letter == '\n' || worker.line.size() >= kLongestLine) {
        log_line(id, std::exchange(worker.line, {}));
      }
      if (letter != '\n') {
        worker.line.push_back(letter);
      }
    }
  }
  if (got == 0) {  // the worker closed it; a pipe at its end would call again and again
    loop_.remove(worker.process.errors.get());
    worker.process.errors.reset();
  }
}

void Coordinator::on_signal() {
  while (const auto signal = signals_.next()) {
    interrupted_ = true;
    switch (interrupts_.on_signal(signal->number, signal->from_kernel, now())) {
      case Interrupts::Request::drain:
        if (draining_) {
          tell_of_drain();  // nothing else shows that the signal was heard
        }
        drain();
        break;
      case Interrupts::Request::stop:
        stop_requested_ = true;
        stop();
        break;
      case Interrupts::Request::nothing:
        break;
    }
  }
}

void Coordinator::tell_of_drain() {
  if (setup_.log) {
    const std::string how = setup_.takes_interrupts ? "Ctrl-C or SIGTERM " : "SIGTERM ";
    const LiveStatus status = live_status();
    setup_.log({}, DrainNotice::text(told_of_drain_, status,
                                     how + (interrupts_.any() ? "again" : "twice") + " stops at once"));
    told_of_drain_ = status;
  }
}

void Coordinator::end_drain() {
  drain_timed_out_ = true;
  stop_requested_ = true;
  stop();
}

void Coordinator::drain() {
  if (draining_) {
    return;
  }
  draining_ = true;
  drain_notice_.begin(now());
  told_of_drain_ = live_status();
  if (setup_.drain_timeout) {
    drain_ends_ = now() + *setup_.drain_timeout;
  }
  if (setup_.draining) {
    setup_.draining();
  }
  for (plan::WorkerId id = 0; id < workers_.size(); ++id) {
    if (setup_.topology->has_source(id) || setup_.topology->has_sink(id)) {  // a sink may wait for a FIFO's reader
      view_.workers[id].control->command.store(static_cast<std::uint32_t>(shm::Command::drain),
                                               std::memory_order_release);
    }
  }
  nudge(now());
}

void Coordinator::stop() {
  perform(supervisor_.on_stop_request());
}

void Coordinator::tell_failure() {
  if (setup_.failed && failure() && !std::exchange(failure_told_, true)) {
    setup_.failed(*failure());
  }
}

void Coordinator::stop_workers() {
  tell_failure();
  stopping_since_ = now();
  nudge_period_ = {};
  for (plan::WorkerId id = 0; id < workers_.size(); ++id) {
    if (supervisor_.stopping(id)) {
      view_.workers[id].control->command.store(static_cast<std::uint32_t>(shm::Command::stop),
                                               std::memory_order_release);
    }
  }
  nudge(stopping_since_);
}

/// In no other stage: SIGTERM would end its poll() or sleep, for which SA_RESTART does nothing. A source that shares
/// its process with other stages may have been left by the time that the signal arrives.
bool Coordinator::is_in_source(plan::WorkerId id) const {
  return setup_.topology->has_source(id) && view_.workers[id].page->stage.load(std::memory_order_relaxed) == 0;
}

/// Signals and wake-ups may fall into a gap between a worker's last look and its sleep, so they are repeated.
void Coordinator::nudge(nanoseconds time) {
  nudge_period_ = std::clamp(2 * nudge_period_, kFirstNudge, kLongestNudge);
  next_nudge_ = time + nudge_period_;
  const bool late = stop_requested_ || time - stopping_since_ > kStopGrace;
  for (plan::WorkerId id = 0; id < workers_.size(); ++id) {
    if (!workers_[id].running) {
      continue;
    }
    const bool stopping = supervisor_.stopping(id);
    if (stopping && late) {
      base::send_signal(workers_[id].process.pidfd, SIGKILL);
    } else if ((draining_ || stopping) && is_in_source(id)) {
      // Until its handler stands, a worker has SIGTERM blocked as this process has.
      base::send_signal(workers_[id].process.pidfd, SIGTERM);
    }
    if (stopping) {
      wake_links_of(id);
    }
  }
}

void Coordinator::wake_links_of(plan::WorkerId id) {
  const auto wake = [&](plan::LinkId link) {
    base::futex_wake(view_.links[link].producer->write_position);
    for (const shm::ConsumerPage* page : view_.links[link].consumers) {
      base::futex_wake(page->releases);
    }
  };
  for (const plan::Segment& segment : setup_.topology->workers[id].segments) {
    std::ranges::for_each(segment.inputs, wake);
    std::ranges::for_each(segment.outputs, wake);
    if (segment.followed) {
      wake(*segment.followed);
    }
  }
}

std::vector<profile::KeySummary> Coordinator::summary() const {
  std::vector<std::uint32_t> restarts;
  for (plan::WorkerId id = 0; id < workers_.size(); ++id) {
    restarts.push_back(supervisor_.restarts(id));
  }
  return summarize(*setup_.topology, view_, restarts);
}

std::uint32_t Coordinator::restarts() const {
  std::uint32_t all = 0;
  for (plan::WorkerId id = 0; id < workers_.size(); ++id) {
    all += supervisor_.restarts(id);
  }
  return all;
}

}  // namespace pystream::coord
