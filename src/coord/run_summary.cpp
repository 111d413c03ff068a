#include "coord/run_summary.hpp"

#include <algorithm>
#include <array>

#include "profile/bottleneck.hpp"
#include "profile/figures.hpp"

namespace pystream::coord {
namespace {

double seconds(std::uint64_t ns) {
  return static_cast<double>(ns) * 1e-9;
}

std::uint64_t get(const std::atomic<std::uint64_t>& counter) {
  return counter.load(std::memory_order_relaxed);
}

double percentile(const shm::HostedStats& stats, double share) {
  std::uint64_t total = 0;
  for (const auto& bucket : stats.histogram) {
    total += get(bucket);
  }
  const double rank = share * static_cast<double>(total);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < shm::kBuckets; ++i) {
    below += get(stats.histogram[i]);
    if (below > 0 && static_cast<double>(below) >= rank) {
      // The bucket's middle may lie beyond the largest value seen.
      return std::min(shm::bucket_middle(i) * 1e-9, seconds(get(stats.max_ns)));
    }
  }
  return 0;
}

void add_worker_figures(StageSummary& summary, const shm::WorkerPage& page) {
  const double waiting = seconds(get(page.waiting_ns));
  const double blocked = seconds(get(page.blocked_ns));
  const double working = std::max(seconds(get(page.working_ns)) - blocked, 0.0);
  const double all = waiting + blocked + working;
  if (all > 0) {
    summary.waiting = waiting / all;
    summary.blocked = blocked / all;
    summary.working = working / all;
  }
  const std::int64_t span =
      page.last_end_ns.load(std::memory_order_relaxed) - page.first_end_ns.load(std::memory_order_relaxed);
  summary.items_per_s = profile::items_per_second(summary.items, static_cast<double>(span) * 1e-9);
}

void mark_bottleneck(const plan::Topology& topology, const shm::SupervisorView& view, std::vector<StageSummary>& all) {
  std::vector<profile::StageLoad> loads;
  std::vector<StageSummary*> loaded;
  for (plan::HostedId id = 0; id < all.size(); ++id) {
    if (all[id].items > 0) {
      const plan::WorkerId worker = topology.hosted[id].worker;
      const shm::WorkerPage& page = *view.workers[worker].page;
      const double active_s = seconds(get(page.waiting_ns)) + seconds(get(page.working_ns));
      loads.push_back({.worker = topology.workers[worker].name,
                       .blocked = all[id].blocked,
                       .busy_s = all[id].mean_s * static_cast<double>(all[id].items),
                       .working_s = all[id].working * active_s,
                       .active_s = active_s,
                       .items = all[id].items,
                       .slowest_s = all[id].max_s});
      loaded.push_back(&all[id]);
    }
  }
  std::vector<profile::WorkerLink> links;
  for (const plan::LinkSpec& link : topology.item_links()) {
    for (const plan::SegmentRef consumer : link.consumers) {
      links.push_back({.producer = topology.workers[link.producer.worker].name,
                       .consumer = topology.workers[consumer.worker].name});
    }
  }
  if (const auto found = profile::find_bottleneck(loads, links)) {
    loaded[found->stage]->bottleneck = true;
  }
}

std::string_view phase_name(std::uint32_t phase) {
  static constexpr std::array<std::string_view, 8> kNames{"absent",  "starting", "waiting",  "working",
                                                          "blocked", "cleaning", "finished", "failed"};
  return phase < kNames.size() ? kNames[phase] : "?";
}

}  // namespace

std::vector<StageSummary> summarize(const plan::Topology& topology, const shm::SupervisorView& view,
                                    const std::vector<std::uint32_t>& restarts) {
  std::vector<StageSummary> all;
  for (const plan::HostedSpec& hosted : topology.hosted) {
    const shm::HostedStats& stats = view.workers[hosted.worker].stats[hosted.index];
    const std::uint64_t items = get(stats.items);
    all.push_back({.key = hosted.key,
                   .items = items,
                   .errors = get(stats.errors),
                   .mean_s = items > 0 ? seconds(get(stats.total_ns)) / static_cast<double>(items) : 0,
                   .p50_s = percentile(stats, 0.5),
                   .p99_s = percentile(stats, 0.99),
                   .max_s = seconds(get(stats.max_ns)),
                   .restarts = restarts[hosted.worker]});
    add_worker_figures(all.back(), *view.workers[hosted.worker].page);
  }
  mark_bottleneck(topology, view, all);
  return all;
}

void add_live_stages(LiveStatus& status, const plan::Topology& topology, const shm::SupervisorView& view) {
  for (const plan::HostedSpec& hosted : topology.hosted) {
    const shm::HostedStats& stats = view.workers[hosted.worker].stats[hosted.index];
    LiveStage& stage = status.stages.emplace_back();
    stage.key = hosted.key;
    stage.role = plan::to_string(hosted.role);
    stage.worker = hosted.worker;
    stage.items = get(stats.items);
    stage.errors = get(stats.errors);
    stage.total_ns = get(stats.total_ns);
    stage.max_ns = get(stats.max_ns);
    for (std::uint32_t i = 0; i < shm::kBuckets; ++i) {
      if (const std::uint64_t items = get(stats.histogram[i]); items > 0) {
        stage.histogram.emplace_back(i, items);
      }
    }
  }
  for (std::size_t id = 0; id < topology.workers.size(); ++id) {
    const shm::WorkerPage& page = *view.workers[id].page;
    const std::uint64_t blocked = get(page.blocked_ns);
    const std::uint64_t working = get(page.working_ns);
    status.workers.push_back({.name = topology.workers[id].name,
                              .phase = std::string(phase_name(page.phase.load(std::memory_order_acquire))),
                              .waiting_ns = get(page.waiting_ns),
                              .working_ns = working > blocked ? working - blocked : 0,
                              .blocked_ns = blocked});
  }
  for (std::uint32_t id = 0; id < topology.item_links().size(); ++id) {
    const profile::LinkFigures figures = profile::read_link(view, id);
    LiveLink& link = status.links.emplace_back();
    link.name = topology.links[id].name;
    for (const plan::SegmentRef consumer : topology.links[id].consumers) {
      link.consumers.push_back(consumer.worker);
    }
    link.items = figures.fill_items;
    link.bytes = figures.fill_bytes;
    link.dropped = figures.dropped;
  }
}

}  // namespace pystream::coord
