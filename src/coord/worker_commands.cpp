#include "coord/worker_commands.hpp"

#include <algorithm>
#include <csignal>

#include "base/futex.hpp"

namespace pystream::coord {
namespace {

using namespace std::chrono_literals;

constexpr Time kFirstPeriod = 2ms;  ///< short: the first call often finds workers about to sleep
constexpr Time kLongestPeriod = 50ms;

}  // namespace

WorkerCommands::WorkerCommands(const plan::Topology& topology, const shm::SupervisorView& view,
                               const Supervisor& supervisor, WorkerProcesses& processes, Time stop_grace)
    : topology_(topology), view_(view), supervisor_(supervisor), processes_(processes), grace_(stop_grace) {}

void WorkerCommands::drain(Time now) {
  draining_ = true;
  for (plan::WorkerId id = 0; id < view_.workers.size(); ++id) {
    if (topology_.has_source(id) || topology_.has_sink(id)) {
      write(id, shm::Command::drain);
    }
  }
  repeat(now);
}

void WorkerCommands::cut_short() {
  for (const auto& pages : view_.workers) {
    pages.control->cut_short.store(1, std::memory_order_release);
  }
}

void WorkerCommands::stop(Time now) {
  cut_short();
  stopped_at_ = now;
  period_ = {};
  for (plan::WorkerId id = 0; id < view_.workers.size(); ++id) {
    if (supervisor_.stopping(id)) {
      write(id, shm::Command::stop);
    }
  }
  repeat(now);
}

void WorkerCommands::write(plan::WorkerId id, shm::Command command) {
  view_.workers[id].control->command.store(static_cast<std::uint32_t>(command), std::memory_order_release);
}

std::optional<Time> WorkerCommands::next_repeat() const {
  const bool told = draining_ || supervisor_.stopping() || supervisor_.failure();
  return told ? std::optional(next_) : std::nullopt;
}

void WorkerCommands::on_tick(Time now) {
  if (const auto next = next_repeat(); next && now >= *next) {
    repeat(now);
  }
}

void WorkerCommands::repeat(Time now) {
  period_ = std::clamp(2 * period_, kFirstPeriod, kLongestPeriod);
  next_ = now + period_;
  const bool late = !grace_ || now - stopped_at_ > *grace_;
  for (plan::WorkerId id = 0; id < view_.workers.size(); ++id) {
    if (!processes_.runs(id)) {
      continue;
    }
    const bool stopping = supervisor_.stopping(id);
    if (stopping && late) {
      processes_.signal(id, SIGKILL);
    } else if ((draining_ || stopping) && is_in_source(id)) {
      processes_.signal(id, SIGTERM);  // blocked until the worker's handler is installed, as in this process
    }
    if (stopping) {
      wake_links_of(id);
    }
  }
}

/// No other stage gets SIGTERM: it would end a poll() or sleep there, for which SA_RESTART does nothing. A source that
/// shares its process with other stages may have been left by the time that the signal arrives.
bool WorkerCommands::is_in_source(plan::WorkerId id) const {
  return topology_.has_source(id) && view_.workers[id].page->stage.load(std::memory_order_relaxed) == 0;
}

void WorkerCommands::wake_links_of(plan::WorkerId id) const {
  const auto wake = [&](plan::LinkId link) {
    base::futex_wake(view_.links[link].producer->write_position);
    for (const shm::ConsumerPage* page : view_.links[link].consumers) {
      base::futex_wake(page->releases);
    }
  };
  for (const plan::Segment& segment : topology_.workers[id].segments) {
    std::ranges::for_each(segment.inputs, wake);
    std::ranges::for_each(segment.outputs, wake);
    if (segment.followed) {
      wake(*segment.followed);
    }
  }
}

}  // namespace pystream::coord
