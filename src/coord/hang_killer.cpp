#include "coord/hang_killer.hpp"

#include <unistd.h>

#include <csignal>

#include "coord/worker_pages.hpp"
#include "worker/crash_handler.hpp"

namespace pystream::coord {

HangKiller::HangKiller(const shm::SupervisorView& view, WorkerProcesses& processes)
    : view_(view), processes_(processes), hung_(view.workers.size()) {}

void HangKiller::kill(plan::WorkerId id, Time now) {
  hung_[id] = true;
  const WorkerPages& pages = view_.workers[id];
  const std::uint32_t answers = pages.page->stack_answers.load(std::memory_order_acquire);
  const pid_t pid = processes_.pid_of(id);  // also of the thread that runs the stages: it is the main thread
  if (is_attached(pages) && pages.page->takes_stack_requests.load(std::memory_order_acquire) != 0 && pid != 0 &&
      ::tgkill(pid, pid, worker::stack_signal()) == 0) {
    requests_.add(id, answers, now);
  } else {
    processes_.signal(id, SIGKILL);
  }
}

void HangKiller::on_tick(Time now) {
  const auto answers_of = [&](plan::WorkerId id) {
    return view_.workers[id].page->stack_answers.load(std::memory_order_acquire);
  };
  for (const plan::WorkerId id : requests_.due(answers_of, now)) {
    processes_.signal(id, SIGKILL);
  }
}

bool HangKiller::on_exit(plan::WorkerId id) {
  requests_.remove(id);
  const bool hung = hung_[id];
  hung_[id] = false;
  return hung;
}

}  // namespace pystream::coord
