#include "profile/bottleneck.hpp"

#include <algorithm>
#include <vector>

namespace pystream::profile {
namespace {

constexpr double kHalf = 0.5;
constexpr double kNearlyAlways = 0.75;
constexpr double kRarely = 0.2;
constexpr double kShortestSpanS = 0.02;

struct WorkerLoad {
  std::string_view name;
  double blocked = 0;
  double waiting = 0;
  double work_s = 0;  ///< as if its slowest items were like the others
  std::size_t stage = 0;
  double stage_busy_s = -1;  ///< of the stage that works most
};

/// By how much the slowest item exceeds the mean of the others.
double excess_s(const StageLoad& stage) {
  if (stage.items < 2) {
    return 0;
  }
  const double others_s = (stage.busy_s - stage.slowest_s) / static_cast<double>(stage.items - 1);
  return std::max(stage.slowest_s - others_s, 0.0);
}

/// In the order of their first stages.
std::vector<WorkerLoad> workers_of(std::span<const StageLoad> stages) {
  std::vector<WorkerLoad> workers;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const StageLoad& stage = stages[i];
    auto worker = std::ranges::find(workers, stage.worker, &WorkerLoad::name);
    if (worker == workers.end()) {
      workers.push_back({.name = stage.worker,
                         .blocked = stage.blocked,
                         .waiting = stage.waiting,
                         .work_s = stage.working_s,
                         .stage = i});
      worker = workers.end() - 1;
    }
    const double busy_s = stage.busy_s - excess_s(stage);
    worker->work_s += stage.working_s > 0 ? -excess_s(stage) : busy_s;
    if (busy_s > worker->stage_busy_s) {
      worker->stage_busy_s = busy_s;
      worker->stage = i;
    }
  }
  return workers;
}

/// Workers along the links.
class Flow {
 public:
  using Place = std::vector<WorkerLoad>::const_iterator;
  enum class Reach { next, all };

  Flow(const std::vector<WorkerLoad>& workers, std::span<const WorkerLink> links) : workers_(workers), links_(links) {}

  std::vector<Place> downstream(Place of, Reach reach) const {
    return search(of, reach, &WorkerLink::producer, &WorkerLink::consumer);
  }
  std::vector<Place> upstream(Place of) const {
    return search(of, Reach::all, &WorkerLink::consumer, &WorkerLink::producer);
  }

 private:
  std::vector<Place> search(Place of, Reach reach, std::string WorkerLink::*near, std::string WorkerLink::*far) const {
    std::vector<Place> found;
    std::vector<std::string_view> seen{of->name};
    std::vector<std::string_view> ahead{of->name};
    while (!ahead.empty()) {
      const std::string_view at = ahead.back();
      ahead.pop_back();
      for (const WorkerLink& link : links_) {
        if (link.*near != at || std::ranges::find(seen, link.*far) != seen.end()) {
          continue;
        }
        seen.emplace_back(link.*far);
        const Place worker = std::ranges::find(workers_, link.*far, &WorkerLoad::name);
        if (worker != workers_.end()) {
          found.push_back(worker);
        }
        if (worker == workers_.end() || reach == Reach::all) {
          ahead.emplace_back(link.*far);
        }
      }
    }
    return found;
  }

  const std::vector<WorkerLoad>& workers_;
  std::span<const WorkerLink> links_;
};

using Place = Flow::Place;

/// The worker behind the last one that is clearly blocked; end(): there is none.
Place behind_last_blocked(const std::vector<WorkerLoad>& workers, const Flow& flow) {
  const auto blocked =
      std::find_if(workers.rbegin(), workers.rend(), [](const WorkerLoad& w) { return w.blocked > kClearly; });
  const std::vector<Place> next =
      blocked == workers.rend() ? std::vector<Place>() : flow.downstream(std::prev(blocked.base()), Flow::Reach::next);
  const auto most = std::ranges::max_element(next, {}, [](Place place) { return place->work_s; });
  return most == next.end() ? workers.end() : *most;
}

Place busiest(const std::vector<WorkerLoad>& workers) {
  return std::max_element(workers.begin(), workers.end(), [](const WorkerLoad& a, const WorkerLoad& b) {
    const bool a_limits = a.blocked < kHalf;
    const bool b_limits = b.blocked < kHalf;
    return a_limits != b_limits ? b_limits : a.work_s < b.work_s;
  });
}

}  // namespace

std::optional<Bottleneck> find_bottleneck(std::span<const StageLoad> stages, std::span<const WorkerLink> links) {
  const std::vector<WorkerLoad> workers = workers_of(stages);
  const Place most = busiest(workers);
  if (most == workers.end() || most->blocked >= kHalf) {
    return std::nullopt;
  }
  double active_s = 0;
  for (const StageLoad& stage : stages) {
    active_s = std::max(active_s, stage.active_s);
  }
  if (active_s > 0 && active_s < kShortestSpanS) {
    return std::nullopt;  // a start takes longer than all that was done
  }
  const Flow flow(workers, links);
  const Place behind_blocked = behind_last_blocked(workers, flow);
  const bool blocked_by_others = behind_blocked != workers.end();
  const bool works_nearly_always = active_s > 0 && most->work_s >= kNearlyAlways * active_s;
  if (!works_nearly_always && !blocked_by_others && active_s > 0 && most->work_s < kRarely * active_s) {
    return std::nullopt;  // all of them wait for what is outside of the pipeline
  }
  const Place place = works_nearly_always || !blocked_by_others ? most : behind_blocked;
  if (const std::uint64_t items = stages[place->stage].items; items > 0 && items < kFewestItems) {
    return std::nullopt;
  }
  return Bottleneck{.stage = place->stage,
                    .blocked_before = std::ranges::any_of(flow.upstream(place),
                                                          [](Place worker) { return worker->blocked > kClearly; }),
                    .waiting_behind = std::ranges::any_of(flow.downstream(place, Flow::Reach::all),
                                                          [](Place worker) { return worker->waiting > kClearly; })};
}

double items_per_second(std::uint64_t items, double span_s) {
  return items >= kFewestItems && span_s >= kShortestSpanS ? static_cast<double>(items - 1) / span_s : 0;
}

}  // namespace pystream::profile
