#include "coord/chaos_plan.hpp"

#include <algorithm>

namespace pystream::coord {

ChaosPlan::ChaosPlan(const plan::Topology& topology, ChaosMode mode, std::uint64_t seed) : mode_(mode), random_(seed) {
  for (plan::WorkerId id = 0; id < topology.workers.size(); ++id) {
    if (!topology.workers[id].external) {
      workers_.push_back(id);
    }
  }
  for (const plan::LinkSpec& link : topology.links) {
    for (const plan::SegmentRef consumer : link.consumers) {
      const plan::WorkerId producer = link.producer.worker;
      const bool inside = !topology.workers[producer].external && !topology.workers[consumer.worker].external;
      if (inside && producer != consumer.worker) {
        neighbours_.emplace_back(producer, consumer.worker);
      }
    }
  }
}

ChaosMode ChaosPlan::choose_mode() {
  switch (mode_) {
    case ChaosMode::stop:
      return one_in(2) ? ChaosMode::stop : ChaosMode::single;
    case ChaosMode::mixed: {
      const std::uint64_t draw = below(10);
      return draw < 5 ? ChaosMode::single : draw < 7 ? ChaosMode::pairs : draw < 8 ? ChaosMode::all : ChaosMode::stop;
    }
    default:
      return mode_;
  }
}

Strike ChaosPlan::next(const std::vector<bool>& may_hit) {
  const ChaosMode mode = choose_mode();
  std::vector<plan::WorkerId> candidates;
  std::copy_if(workers_.begin(), workers_.end(), std::back_inserter(candidates),
               [&](plan::WorkerId id) { return may_hit[id]; });
  if (candidates.empty()) {
    return {};
  }
  if (mode == ChaosMode::stop) {
    return {.killed = {}, .stopped = {pick(candidates)}};
  }
  if (mode == ChaosMode::all) {
    return {.killed = candidates, .stopped = {}};
  }
  if (mode == ChaosMode::pairs && !neighbours_.empty()) {
    const auto [first, second] = neighbours_[below(neighbours_.size())];
    return may_hit[first] && may_hit[second] ? Strike{.killed = {first, second}, .stopped = {}} : Strike{};
  }
  return {.killed = {pick(candidates)}, .stopped = {}};
}

}  // namespace pystream::coord
