#include "coord/chaos.hpp"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/clock.hpp"
#include "base/system_error.hpp"
#include "coord/worker_pages.hpp"

namespace pystream::coord {
namespace {

constexpr std::uint64_t kCarelessOneIn = 8;
constexpr std::uint32_t kInVain = 8;
constexpr std::int64_t kStoppedFor = 3;               ///< intervals
constexpr std::int64_t kPatienceNs = 20'000'000'000;  ///< for the recovery from the last kill

base::UniqueFd make_timer(std::chrono::nanoseconds interval) {
  base::UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  const timespec every{.tv_sec = interval.count() / 1'000'000'000, .tv_nsec = interval.count() % 1'000'000'000};
  const itimerspec times{.it_interval = every, .it_value = every};
  if (!timer || ::timerfd_settime(timer.get(), 0, &times, nullptr) != 0) {
    base::throw_errno("cannot set a timer");
  }
  return timer;
}

}  // namespace

Chaos::Chaos(const plan::Topology& topology, Coordinator& coordinator, ChaosSetup setup)
    : coordinator_(coordinator),
      setup_(std::move(setup)),
      plan_(topology, setup_.mode, setup_.seed),
      timer_(make_timer(setup_.interval)),
      victims_(topology.workers.size()) {
  coordinator_.loop().add(timer_.get(), [this] { on_timer(); });
}

Chaos::~Chaos() {
  coordinator_.loop().remove(timer_.get());
}

void Chaos::on_timer() {
  std::uint64_t times = 0;
  [[maybe_unused]] const ssize_t got = ::read(timer_.get(), &times, sizeof(times));
  const std::int64_t now = base::now_ns();
  continue_stopped(now);
  collect();
  if (figures_.kills < setup_.kills) {
    strike(now);
    patience_ends_ns_ = now + kPatienceNs;
  } else if (!over_ && (all_recovered() || now >= patience_ends_ns_)) {
    end();
  }
}

void Chaos::continue_stopped(std::int64_t now) {
  for (plan::WorkerId id = 0; id < victims_.size(); ++id) {
    if (victims_[id].continue_ns != 0 && (over_ || now >= victims_[id].continue_ns)) {
      victims_[id].continue_ns = 0;
      coordinator_.signal_worker(id, SIGCONT);
    }
  }
}

std::uint32_t Chaos::incarnation_of(plan::WorkerId id) const {
  return coordinator_.view().workers[id].control->incarnation.load(std::memory_order_relaxed);
}

void Chaos::collect() {
  for (plan::WorkerId id = 0; id < victims_.size(); ++id) {
    Victim& victim = victims_[id];
    if (!victim.killed_ns || !is_attached(coordinator_.view().workers[id]) ||
        incarnation_of(id) == victim.incarnation) {
      continue;
    }
    const std::int64_t commit = coordinator_.view().workers[id].page->first_commit_ns.load(std::memory_order_acquire);
    if (commit > *victim.killed_ns) {
      figures_.recoveries_ns.push_back(commit - *victim.killed_ns);
      victim.killed_ns.reset();
      victim.in_vain = 0;
    }
  }
}

std::vector<bool> Chaos::may_hit(bool careless) const {
  std::vector<bool> may(victims_.size());
  for (plan::WorkerId id = 0; id < victims_.size(); ++id) {
    const WorkerPages& pages = coordinator_.view().workers[id];
    const bool attached = is_attached(pages);
    const shm::WorkerPage& page = *pages.page;
    const auto phase = static_cast<shm::Phase>(page.phase.load(std::memory_order_acquire));
    const bool idle = phase == shm::Phase::waiting || phase == shm::Phase::blocked;
    const bool settled = attached && (idle || page.first_commit_ns.load(std::memory_order_acquire) != 0);
    const bool ending = attached && phase >= shm::Phase::cleaning;
    may[id] = coordinator_.runs(id) && victims_[id].in_vain < kInVain && !ending && (careless || settled) &&
              victims_[id].continue_ns == 0;
  }
  return may;
}

void Chaos::strike(std::int64_t now) {
  const Strike strike = plan_.next(may_hit(plan_.one_in(kCarelessOneIn)));
  for (const plan::WorkerId id : strike.stopped) {
    if (coordinator_.signal_worker(id, SIGSTOP)) {
      victims_[id].continue_ns = now + kStoppedFor * setup_.interval.count();
      ++figures_.stops;
    }
  }
  for (const plan::WorkerId id : strike.killed) {
    if (figures_.kills < setup_.kills) {
      victims_[id].killed_ns = base::now_ns();  // before the kill: the replacement is timed from here
      victims_[id].incarnation = incarnation_of(id);
      ++victims_[id].in_vain;
      figures_.kills += coordinator_.signal_worker(id, SIGKILL) ? 1 : 0;
    }
  }
}

bool Chaos::all_recovered() const {
  return std::ranges::none_of(victims_, [](const Victim& victim) { return victim.killed_ns.has_value(); });
}

void Chaos::end() {
  over_ = true;
  continue_stopped(0);
  if (setup_.over) {
    setup_.over();
  }
}

}  // namespace pystream::coord
