#include "plan/topology.hpp"

#include <algorithm>
#include <iterator>

namespace pystream::plan {
namespace {

/// The last stages of `at`; where it has none, those in front of it.
void add_last(const Topology& topology, SegmentRef at, std::vector<StageId>& found) {
  const Segment& segment = topology.segment(at);
  if (!segment.stages.empty()) {
    found.push_back(segment.stages.back());
    return;
  }
  for (const LinkId link : segment.inputs) {
    add_last(topology, topology.links[link].producer, found);
  }
}

/// The first stages of `at`; where it has none, those behind it.
void add_first(const Topology& topology, SegmentRef at, std::vector<StageId>& found) {
  const Segment& segment = topology.segment(at);
  if (!segment.stages.empty()) {
    found.push_back(segment.stages.front());
    return;
  }
  for (const LinkId link : segment.outputs) {
    for (const SegmentRef consumer : topology.links[link].consumers) {
      add_first(topology, consumer, found);
    }
  }
}

template <class Predicate>
std::vector<LinkId> links_that(const Topology& topology, const Predicate& predicate) {
  std::vector<LinkId> found;
  for (LinkId id = 0; id < topology.links.size(); ++id) {
    if (predicate(topology.links[id])) {
      found.push_back(id);
    }
  }
  return found;
}

}  // namespace

std::span<const LinkSpec> Topology::item_links() const {
  return {links.begin(), std::ranges::partition_point(links, [](const LinkSpec& link) { return !link.is_terminal(); })};
}

std::span<const LinkId> Topology::links_into(StageId id) const {
  const Segment& segment = segment_of(id);
  return id == segment.stages.front() ? std::span(segment.inputs) : std::span<const LinkId>();
}

std::span<const LinkId> Topology::links_out_of(StageId id) const {
  const Segment& segment = segment_of(id);
  return id == segment.stages.back() ? std::span(segment.outputs) : std::span<const LinkId>();
}

std::vector<StageId> Topology::upstream(StageId id) const {
  const std::vector<StageId>& row = segment_of(id).stages;
  if (id != row.front()) {
    return {*std::prev(std::ranges::find(row, id))};
  }
  std::vector<StageId> found;
  for (const LinkId link : links_into(id)) {
    add_last(*this, links[link].producer, found);
  }
  return found;
}

std::vector<StageId> Topology::downstream(StageId id) const {
  const std::vector<StageId>& row = segment_of(id).stages;
  if (id != row.back()) {
    return {*std::next(std::ranges::find(row, id))};
  }
  std::vector<StageId> found;
  for (const LinkId link : links_out_of(id)) {
    for (const SegmentRef consumer : links[link].consumers) {
      add_first(*this, consumer, found);
    }
  }
  return found;
}

std::vector<StageId> Topology::first_stages() const {
  std::vector<StageId> found;
  add_first(*this, {.worker = 0, .index = 0}, found);
  return found;
}

/// Worker 0 where it runs a row.
const Segment& Topology::result_segment() const {
  const auto reader =
      std::find_if(workers.rbegin(), workers.rend(), [](const WorkerSpec& worker) { return worker.external; });
  return (reader == workers.rend() ? workers.back() : *reader).segments.back();
}

std::vector<LinkId> Topology::fed_by_user() const {
  return links_that(*this, [&](const LinkSpec& link) { return workers[link.producer.worker].external; });
}

std::vector<LinkId> Topology::read_by_user() const {
  return links_that(*this, [&](const LinkSpec& link) {
    return std::ranges::any_of(link.consumers, [&](SegmentRef at) { return workers[at.worker].external; });
  });
}

bool Topology::leaves_pipeline(const Segment& segment) const {
  return !segment.aside && std::ranges::all_of(segment.outputs, [&](LinkId id) {
    return std::ranges::all_of(links[id].consumers, [&](SegmentRef at) { return !workers[at.worker].runs_row(); });
  });
}

bool Topology::has_source(WorkerId id) const {
  const std::vector<StageId>& first = workers.at(id).segments.front().stages;
  return !first.empty() && stages[first.front()].role == Role::source;
}

bool Topology::has_sink(WorkerId id) const {
  const std::vector<StageId>& last = workers.at(id).segments.back().stages;
  return !last.empty() && stages[last.back()].role == Role::sink;
}

std::uint32_t Topology::consumer_index(LinkId link, SegmentRef consumer) const {
  const std::vector<SegmentRef>& all = links.at(link).consumers;
  return static_cast<std::uint32_t>(std::ranges::find(all, consumer) - all.begin());
}

}  // namespace pystream::plan
