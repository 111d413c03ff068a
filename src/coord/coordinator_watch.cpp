#include <unistd.h>

#include <csignal>

#include "base/clock.hpp"
#include "base/pidfd.hpp"
#include "coord/coordinator.hpp"
#include "coord/worker_pages.hpp"
#include "setup/process_limits.hpp"
#include "worker/crash_handler.hpp"

/// How the coordinator finds out what its workers are at, and what one died of.
namespace pystream::coord {

std::vector<WorkerView> Coordinator::read_views() const {
  std::vector<WorkerView> views;
  views.reserve(workers_.size());
  for (const WorkerPages& pages : view_.workers) {
    views.push_back(read_view(pages));
  }
  return views;
}

void Coordinator::tell(const std::string& text) {
  if (setup_.profiler != nullptr) {
    setup_.profiler->event({.time_ns = base::now_ns(), .kind = "report", .worker = {}, .text = text});
  }
  if (setup_.log) {
    setup_.log({}, text);
  }
}

void Coordinator::look_for_stalls(const std::vector<WorkerView>& views, std::chrono::nanoseconds now) {
  for (const StallWatch::Stall& stall : stalls_.look(views, now)) {
    const WorkerView& view = views[stall.id];
    tell(stall_text(supervisor_.stage_key(stall.id, view.stage), view, stall.age));
  }
}

/// A worker that hangs first tells where, if it can: the thread that runs the stages is the main thread of its process.
void Coordinator::ask_and_kill(plan::WorkerId id) {
  const auto& pages = view_.workers[id];
  const Worker& worker = workers_[id];
  const std::uint32_t answers = pages.page->stack_answers.load(std::memory_order_acquire);
  if (is_attached(pages) && pages.page->takes_stack_requests.load(std::memory_order_acquire) != 0 &&
      ::tgkill(worker.process.pid, worker.process.pid, worker::stack_signal()) == 0) {
    stack_requests_.add(id, answers, std::chrono::nanoseconds(base::now_ns()));
  } else {
    base::send_signal(worker.process.pidfd, SIGKILL);
  }
}

void Coordinator::kill_asked(std::chrono::nanoseconds now) {
  const auto answers_of = [&](plan::WorkerId id) {
    return view_.workers[id].page->stack_answers.load(std::memory_order_acquire);
  };
  for (const plan::WorkerId id : stack_requests_.due(answers_of, now)) {
    base::send_signal(workers_[id].process.pidfd, SIGKILL);
  }
}

std::string Coordinator::cause_of_death(plan::WorkerId id, const base::ExitStatus& status) {
  if (status.signal == SIGKILL && !workers_[id].killed_by_us && !supervisor_.stopping()) {
    return oom_.explain_kill();
  }
  const auto& pages = view_.workers[id];
  return is_attached(pages) ? memory_limit_text(*pages.page, setup::limits_of(*setup_.topology, id).limits.memory)
                            : std::string();
}

}  // namespace pystream::coord
