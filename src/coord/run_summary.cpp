#include "coord/run_summary.hpp"

#include <array>
#include <string_view>
#include <utility>

#include "profile/counters.hpp"
#include "profile/figures.hpp"
#include "profile/link_figures.hpp"
#include "profile/replica_sums.hpp"

namespace pystream::coord {
namespace {

std::string_view phase_name(std::uint32_t phase) {
  static constexpr std::array<std::string_view, 8> kNames{"absent",  "starting", "waiting",  "working",
                                                          "blocked", "cleaning", "finished", "failed"};
  return phase < kNames.size() ? kNames[phase] : "?";
}

}  // namespace

std::vector<profile::KeySummary> summarize(const plan::Topology& topology, const shm::SupervisorView& view,
                                           const std::vector<std::uint32_t>& restarts) {
  std::vector<profile::KeySummary> all;
  std::vector<profile::Figures> figures;
  for (const plan::PlacedStage& placed : topology.stages) {
    figures.push_back(profile::read_figures(view, placed.worker, placed.index));
    profile::KeySummary& stage = all.emplace_back(profile::summary_of(figures.back()));
    stage.key = placed.key;
    stage.role = std::string(to_string(placed.role));
    stage.worker = topology.workers[placed.worker].name;
    stage.restarts = restarts[placed.worker];
  }
  std::vector<profile::WorkerLink> links;
  for (const plan::LinkSpec& link : topology.item_links()) {
    for (const plan::SegmentRef consumer : link.consumers) {
      links.push_back({.producer = topology.workers[link.producer.worker].name,
                       .consumer = topology.workers[consumer.worker].name});
    }
  }
  profile::mark_bottleneck(all, links);
  return profile::with_replica_sums(std::move(all), figures);
}

void add_live_stages(LiveStatus& status, const plan::Topology& topology, const shm::Segment& segment,
                     const shm::SupervisorView& view) {
  for (const plan::PlacedStage& placed : topology.stages) {
    status.stages.push_back({.key = placed.key,
                             .role = std::string(to_string(placed.role)),
                             .worker = placed.worker,
                             .figures = profile::read_figures(view, placed.worker, placed.index),
                             .letters = profile::get(view.workers[placed.worker].stats[placed.index].letters)});
  }
  for (const profile::ProfileKey& key : profile::profile_keys(topology)) {
    if (!key.role && !key.derived()) {
      status.whole.add(profile::read_figures(view, key.worker, key.index));
    }
  }
  for (std::size_t id = 0; id < topology.workers.size(); ++id) {
    const shm::WorkerPage& page = *view.workers[id].page;
    status.workers.push_back({.name = topology.workers[id].name,
                              .phase = std::string(phase_name(page.phase.load(std::memory_order_acquire)))});
  }
  for (std::uint32_t id = 0; id < topology.item_links().size(); ++id) {
    const profile::LinkFigures figures = profile::read_link(segment, view, id);
    LiveLink& link = status.links.emplace_back();
    link.name = topology.links[id].name;
    link.producer = topology.links[id].producer.worker;
    for (const plan::SegmentRef consumer : topology.links[id].consumers) {
      link.consumers.push_back(consumer.worker);
    }
    link.items = figures.fill_items;
    link.done = figures.items;
    link.bytes = figures.fill_bytes;
    link.capacity = segment.link(id).ring_bytes;
    link.dropped = figures.dropped;
    link.fill = figures.fill;
    link.oldest_ns = figures.oldest_ns;
  }
}

}  // namespace pystream::coord
