#include "coord/worker_processes.hpp"

#include <poll.h>
#include <sys/wait.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <utility>

#include "base/clock.hpp"

namespace pystream::coord {

WorkerProcesses::WorkerProcesses(std::size_t workers, base::EventLoop& loop, Launcher& launcher, Callbacks callbacks)
    : loop_(loop), launcher_(launcher), callbacks_(std::move(callbacks)), workers_(workers) {}

WorkerProcesses::~WorkerProcesses() {
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

void WorkerProcesses::start(plan::WorkerId id, const LaunchFds& fds) {
  Worker& worker = workers_.at(id);
  worker.process = launcher_.launch(id, fds);
  worker.running = true;
  loop_.add(worker.process.pidfd.get(), [this, id] { callbacks_.exited(id); });
  loop_.add(worker.process.errors.get(), [this, id] { read_errors(id); });
}

std::optional<base::ExitStatus> WorkerProcesses::try_reap(plan::WorkerId id) {
  Worker& worker = workers_.at(id);
  const auto status = base::try_reap(worker.process.pidfd);
  if (!status) {
    return std::nullopt;
  }
  await_programs(id);
  loop_.remove(worker.process.pidfd.get());
  if (worker.process.errors) {
    loop_.remove(worker.process.errors.get());
  }
  worker.log.finish(on_line(id));
  worker.process = {};
  worker.running = false;
  return status;
}

bool WorkerProcesses::signal(plan::WorkerId id, int signal) {
  return runs(id) && base::send_signal(workers_[id].process.pidfd, signal);
}

/// The programs that a dead worker has run are ended by their keepers (workers/core/program_keeper.hpp), which hold its
/// standard error open until they have done so. They must be gone before a successor starts, and at the end of the run.
void WorkerProcesses::await_programs(plan::WorkerId id) {
  constexpr auto kPatience = std::chrono::seconds(1);  // a process that a stage has left behind on purpose may stay
  constexpr int kLookMs = 10;
  const base::UniqueFd& errors = workers_[id].process.errors;
  const std::chrono::nanoseconds deadline = std::chrono::nanoseconds(base::now_ns()) + kPatience;
  read_errors(id);
  while (errors && std::chrono::nanoseconds(base::now_ns()) < deadline) {
    pollfd readable{.fd = errors.get(), .events = POLLIN, .revents = 0};
    ::poll(&readable, 1, kLookMs);
    read_errors(id);
  }
}

void WorkerProcesses::read_errors(plan::WorkerId id) {
  Worker& worker = workers_[id];
  base::UniqueFd& errors = worker.process.errors;
  if (errors && !worker.log.read(errors.get(), on_line(id))) {
    loop_.remove(errors.get());  // a pipe at its end would call again and again
    errors.reset();
  }
}

WorkerLog::OnLine WorkerProcesses::on_line(plan::WorkerId id) const {
  return [this, id](const std::string& line) { callbacks_.line(id, line); };
}

}  // namespace pystream::coord
