#include "coord/coordinator.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/clock.hpp"
#include "base/codec.hpp"
#include "base/fast_clock.hpp"
#include "base/mutation.hpp"
#include "base/system_error.hpp"
#include "coord/worker_pages.hpp"

namespace pystream::coord {
namespace {

using std::chrono::nanoseconds;
using namespace std::chrono_literals;

/// A tick that is later than this means that the process was stopped (Ctrl-Z, a debugger, a frozen container), and its
/// workers with it.
constexpr nanoseconds kMostLate = 500ms;

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
      processes_(setup_.topology->workers.size(), loop_, *setup_.launcher,
                 {.exited = [this](plan::WorkerId id) { on_exit(id); },
                  .line = [this](plan::WorkerId id, const std::string& line) { on_line(id, line); }}),
      commands_(*setup_.topology, view_, supervisor_, processes_, setup_.stop_grace),
      hangs_(view_, processes_),
      crashes_(*setup_.topology, view_),
      drain_(setup_.drain_timeout) {
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
  next = std::min(next, hangs_.next_look(now()).value_or(next));
  next = std::min(next, commands_.next_repeat().value_or(next));
  if (setup_.progress) {
    next = std::min(next, next_progress_);
  }
  if (setup_.duration && !drain_.begun()) {
    next = std::min(next, started_ + *setup_.duration);
  }
  if (!supervisor_.stopping()) {
    next = std::min(next, drain_.deadline().value_or(next));
  }
  return next;
}

void Coordinator::on_tick() {
  const nanoseconds time = now();
  const std::vector<WorkerView> views = read_views();
  perform(supervisor_.on_tick(views, time));
  hangs_.on_tick(time);
  if (time >= stalls_.next_look()) {
    look_for_stalls(views, time);
  }
  if (setup_.duration && time >= started_ + *setup_.duration) {
    drain();
  }
  commands_.on_tick(time);
  if (!supervisor_.stopping() && drain_.times_out(time)) {
    stop_at_once();
  }
  if (!supervisor_.stopping() && drain_.notice_is_due(time)) {
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
                          [&](const KillWorker& kill) { hangs_.kill(kill.id, now()); },
                          [&](const WakeNeighbours& wake) {
                            if (!base::mutated(base::Mutation::no_wake_after_death)) {
                              commands_.wake_links_of(wake.id);
                            }
                          },
                          [&](const StopAll&) { stop_workers(); },
                          [&](const EndRun&) {
                            over_ = true;
                            tell_failure();
                          },
                          [&](const Report& report) {
                            tell({.text = report.text, .stage = report.stage, .item = report.item});
                          }},
               action);
  }
}

void Coordinator::start_worker(const StartWorker& start) {
  if (start.only_ends) {
    commands_.cut_short();
  }
  write_start(*view_.workers[start.id].control, start, setup_.items_limit);
  processes_.start(
      start.id,
      {.segment = setup_.segment->fd(), .bell = bell_.get(), .name = setup_.topology->workers[start.id].name});
  note(start.incarnation == 0 ? "start" : "restart", start.id);
}

void Coordinator::on_bell() {
  std::uint64_t rings = 0;
  [[maybe_unused]] const ssize_t got = ::read(bell_.get(), &rings, sizeof(rings));
  for (plan::WorkerId id = 0; id < view_.workers.size(); ++id) {
    if (processes_.runs(id) && is_ready(view_.workers[id])) {
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
  const auto status = processes_.try_reap(id);
  if (!status) {
    return;
  }
  const WorkerView view = read_view(view_.workers[id]);
  const CrashReport report = crashes_.report(id, view,
                                             {.status = *status,
                                              .stage = supervisor_.stage_key(id, view.stage),
                                              .hung = hangs_.on_exit(id),
                                              .killed_at_stop = supervisor_.stopping(),
                                              .last_lines = processes_.take_last_lines(id)});
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

void Coordinator::on_line(plan::WorkerId id, const std::string& line) {
  if (setup_.log) {
    setup_.log({.text = line, .worker = setup_.topology->workers[id].name});
  }
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
  if (request == "end") {
    return end_input() ? "draining" : "not drained";
  }
  if (request == "stop") {
    stop_at_once();
    return "stopping";
  }
  return "unknown request";
}

LiveStatus Coordinator::live_status() const {
  LiveStatus status{.pid = ::getpid(),
                    .run = setup_.profiler != nullptr ? setup_.profiler->run() : 0,
                    .name = setup_.name,
                    .shared_run = setup_.part ? setup_.part->run : "",
                    .host = setup_.part ? setup_.part->host : "",
                    .first_part = setup_.part && setup_.part->first,
                    .state = supervisor_.stopping() || failure()           ? "stopping"
                             : drain_.begun()                              ? "draining"
                             : ready_announced_ || supervisor_.all_ready() ? "running"
                                                                           : "starting",
                    .time_ns = base::now_ns(),
                    .uptime_s = std::chrono::duration<double>(now() - started_).count()};
  add_live_stages(status, *setup_.topology, *setup_.segment, view_);
  for (plan::WorkerId id = 0; id < view_.workers.size(); ++id) {
    LiveWorker& worker = status.workers.at(id);
    worker.pid = processes_.pid_of(id);
    worker.restarts = supervisor_.restarts(id);
    if (!processes_.runs(id)) {
      worker.phase = "not running";
    } else if (const auto age = stalls_.age(id)) {
      worker.item = items_in_work(read_view(view_.workers[id]));
      worker.item_age_ns = age->count();
    }
  }
  return status;
}

void Coordinator::end_profile() {
  if (setup_.profiler == nullptr) {
    return;
  }
  const auto& failure = supervisor_.failure();
  setup_.profiler->end(failure           ? "failed"
                       : stop_requested_ ? "interrupted"
                                         : "done",
                       failure ? failure->text : "", restarts_of_each(), ProfilerClient::kEndMs, signals_.fd());
}

void Coordinator::on_signal() {
  while (const auto signal = signals_.next()) {
    interrupted_ = true;
    switch (interrupts_.on_signal(signal->number, signal->from_kernel, now())) {
      case Interrupts::Request::drain:
        if (drain_.begun()) {
          tell_of_drain();  // nothing else shows that the signal was heard
        }
        drain();
        break;
      case Interrupts::Request::stop:
        stop_at_once();
        break;
      case Interrupts::Request::nothing:
        break;
    }
  }
}

void Coordinator::tell_of_drain() {
  if (setup_.log) {
    const std::string how = setup_.takes_interrupts ? "Ctrl-C or SIGTERM " : "SIGTERM ";
    setup_.log(
        {.text = drain_.notice(live_status(), how + (interrupts_.any() ? "again" : "twice") + " stops at once")});
  }
}

void Coordinator::drain() {
  if (setup_.part && !drain_.begun()) {
    paused_ = true;
    commands_.cut_short();
  }
  begin_drain();
}

bool Coordinator::end_input() {
  if (paused_ || (setup_.part && !setup_.part->first)) {
    return false;
  }
  begin_drain();
  return true;
}

void Coordinator::begin_drain() {
  if (drain_.begun()) {
    return;
  }
  drain_.begin(live_status(), now());
  if (setup_.draining) {
    setup_.draining();
  }
  commands_.drain(now());
}

void Coordinator::stop() {
  perform(supervisor_.on_stop_request());
}

void Coordinator::stop_at_once() {
  stop_requested_ = true;
  commands_.end_grace();
  stop();
}

void Coordinator::tell_failure() {
  if (setup_.failed && failure() && !std::exchange(failure_told_, true)) {
    setup_.failed(*failure());
  }
}

void Coordinator::stop_workers() {
  tell_failure();
  commands_.stop(now());
}

std::vector<WorkerView> Coordinator::read_views() const {
  std::vector<WorkerView> views;
  views.reserve(view_.workers.size());
  for (const WorkerPages& pages : view_.workers) {
    views.push_back(read_view(pages));
  }
  return views;
}

void Coordinator::tell(const LogLine& line) {
  if (setup_.profiler != nullptr) {
    setup_.profiler->event({.time_ns = base::now_ns(), .kind = "report", .worker = {}, .text = line.text});
  }
  if (setup_.log) {
    setup_.log(line);
  }
}

void Coordinator::look_for_stalls(const std::vector<WorkerView>& views, nanoseconds now) {
  for (const StallWatch::Stall& stall : stalls_.look(views, now)) {
    const WorkerView& view = views[stall.id];
    std::string stage = supervisor_.stage_key(stall.id, view.stage);
    tell({.text = stall_text(stage, view, stall.age), .stage = stage, .item = item_in_work(view)});
  }
}

std::vector<profile::KeySummary> Coordinator::summary() const {
  return summarize(*setup_.topology, view_, restarts_of_each());
}

std::vector<std::uint32_t> Coordinator::restarts_of_each() const {
  std::vector<std::uint32_t> all;
  for (plan::WorkerId id = 0; id < view_.workers.size(); ++id) {
    all.push_back(supervisor_.restarts(id));
  }
  return all;
}

std::uint32_t Coordinator::restarts() const {
  const std::vector<std::uint32_t> all = restarts_of_each();
  return std::accumulate(all.begin(), all.end(), 0U);
}

}  // namespace pystream::coord
