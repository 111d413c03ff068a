#include "setup/process_limits.hpp"

#include <algorithm>
#include <pystream/error.hpp>

namespace pystream::setup {
namespace {

void take_over(plan::Limits& all, const plan::Limits& one, const std::string& stage) {
  const auto stricter = [](auto a, auto b) { return a == decltype(a){} ? b : b == decltype(b){} ? a : std::min(a, b); };
  all.memory = stricter(all.memory, one.memory);
  all.cpu_time = stricter(all.cpu_time, one.cpu_time);
  all.nice = std::max(all.nice, one.nice);
  if (all.affinity.empty() || one.affinity.empty()) {
    all.affinity.insert(all.affinity.end(), one.affinity.begin(), one.affinity.end());
    return;
  }
  std::erase_if(all.affinity, [&](int cpu) {
    return std::find(one.affinity.begin(), one.affinity.end(), cpu) == one.affinity.end();
  });
  if (all.affinity.empty()) {
    throw Error("limits: \"affinity\" of stage " + stage +
                " has no CPU in common with those of the stages in the same worker");
  }
}

}  // namespace

ProcessLimits limits_of(const plan::Topology& topology, plan::WorkerId id) {
  ProcessLimits all;
  for (const plan::Segment& segment : topology.workers.at(id).segments) {
    for (const plan::StageId stage : segment.stages) {
      const plan::PlacedStage& placed = topology.stages.at(stage);
      if (placed.node->stage->limits != plan::Limits{}) {
        all.stage = placed.key;
        take_over(all.limits, placed.node->stage->limits, placed.key);
      }
    }
  }
  return all;
}

}  // namespace pystream::setup
