#include "coord/stall_watch.hpp"

#include <algorithm>

namespace pystream::coord {
namespace {

using namespace std::chrono_literals;

constexpr Time kLong = 10s;
constexpr Time kLongestPause = 1h;
constexpr Time kPeriod = 2s;

bool may_stall(const plan::Topology& topology, const plan::WorkerSpec& worker) {
  const auto has_timeout = [&](plan::StageId id) {
    return topology.stages[id].node->stage->faults.timeout.has_value();
  };
  return !worker.external &&
         std::none_of(worker.segments.begin(), worker.segments.end(), [&](const plan::Segment& segment) {
           return std::any_of(segment.stages.begin(), segment.stages.end(), has_timeout);
         });
}

}  // namespace

StallWatch::StallWatch(const plan::Topology& topology) {
  for (plan::WorkerId id = 0; id < topology.workers.size(); ++id) {
    workers_.push_back({.watched = may_stall(topology, topology.workers[id]), .source_first = topology.has_source(id)});
  }
}

bool StallWatch::has_moved(const Worker& worker, const WorkerView& view) {
  return view.number != worker.number || view.segment != worker.segment || view.commits != worker.commits;
}

std::vector<StallWatch::Stall> StallWatch::look(const std::vector<WorkerView>& views, Time now) {
  looked_at_ = now;
  std::vector<Stall> stalls;
  for (plan::WorkerId id = 0; id < workers_.size(); ++id) {
    Worker& worker = workers_[id];
    const WorkerView& view = views[id];
    const bool in_source = worker.source_first && view.stage == 0;
    if (!view.working || !view.number || in_source) {
      worker.number.reset();
      continue;
    }
    if (!worker.number || has_moved(worker, view)) {
      worker.number = view.number;
      worker.segment = view.segment;
      worker.commits = view.commits;
      worker.since = now;
      worker.told = false;
    }
    if (worker.watched && !worker.told && now - worker.since >= kLong && now >= worker.quiet_until) {
      worker.told = true;
      worker.pause = std::clamp(2 * worker.pause, kLong, kLongestPause);
      worker.quiet_until = now + worker.pause;
      stalls.push_back({.id = id, .age = now - worker.since});
    }
  }
  return stalls;
}

std::optional<Time> StallWatch::age(plan::WorkerId id) const {
  const Worker& worker = workers_.at(id);
  return worker.number ? std::optional(looked_at_ - worker.since) : std::nullopt;
}

Time StallWatch::next_look() const {
  return looked_at_ + kPeriod;
}

std::string stall_text(const std::string& stage, const WorkerView& view, Time age) {
  return "stage " + stage + " has been working on " + items_in_work(view) + " for " +
         std::to_string(std::chrono::duration_cast<std::chrono::seconds>(age).count()) +
         " s; if that is too long, set a timeout for the stage, and it is killed and restarted";
}

}  // namespace pystream::coord
