#include "coord/run_summary.hpp"

#include <array>
#include <string_view>

#include "profile/figures.hpp"

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
  const std::vector<std::uint32_t> places = profile::places_in_workers(topology);
  std::vector<profile::KeySummary> all;
  for (plan::HostedId id = 0; id < topology.hosted.size(); ++id) {
    const plan::HostedSpec& hosted = topology.hosted[id];
    profile::KeySummary& stage =
        all.emplace_back(profile::summary_of(profile::read_figures(view, hosted.worker, places[id])));
    stage.key = hosted.key;
    stage.role = std::string(to_string(hosted.role));
    stage.worker = topology.workers[hosted.worker].name;
    stage.restarts = restarts[hosted.worker];
  }
  profile::mark_bottleneck(all);
  return all;
}

void add_live_stages(LiveStatus& status, const plan::Topology& topology, const shm::SupervisorView& view) {
  const std::vector<std::uint32_t> places = profile::places_in_workers(topology);
  for (plan::HostedId id = 0; id < topology.hosted.size(); ++id) {
    const plan::HostedSpec& hosted = topology.hosted[id];
    status.stages.push_back({.key = hosted.key,
                             .role = std::string(to_string(hosted.role)),
                             .worker = hosted.worker,
                             .figures = profile::read_figures(view, hosted.worker, places[id])});
  }
  for (std::size_t id = 0; id < topology.workers.size(); ++id) {
    const shm::WorkerPage& page = *view.workers[id].page;
    status.workers.push_back({.name = topology.workers[id].name,
                              .phase = std::string(phase_name(page.phase.load(std::memory_order_acquire)))});
  }
  for (std::uint32_t id = 0; id < topology.links.size(); ++id) {
    const profile::LinkFigures figures = profile::read_link(view, id);
    status.links.push_back({.name = topology.links[id].name,
                            .consumer = topology.links[id].consumer,
                            .items = figures.fill_items,
                            .bytes = figures.fill_bytes,
                            .dropped = figures.dropped});
  }
}

}  // namespace pystream::coord
