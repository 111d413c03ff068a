#include "plan/replicas.hpp"

#include <algorithm>

#include "plan/branches.hpp"

namespace pystream::plan {

std::optional<std::string> replicas_fault(const Node& member, Mode around) {
  if (member.replicas == 0 || member.replicas > kMaxReplicas) {
    return "between 1 and " + std::to_string(kMaxReplicas) + " replicas";
  }
  if (member.replicas == kMaxReplicas && member.share.by != ShareBy::turn) {
    return "at most " + std::to_string(kMaxReplicas - 1) + " replicas, as they do not share in turn";
  }
  if (member.replicas > 1 && holds_sink(member)) {
    return "no replicas here: there is a sink in it, and several would write the same";
  }
  const bool has_workers = member.is_pipeline() && member.mode != Mode::serial;
  if (member.replicas > 1 && around == Mode::serial && !has_workers) {
    return "no replicas here: a serial pipeline has one item at a time; give the serial pipeline itself replicas, or "
           "put the stage into a parallel one";
  }
  return std::nullopt;
}

std::size_t count_replicas(const Node& pipeline) {
  std::size_t all = 0;
  for (const Node& child : pipeline.children) {
    const std::size_t each = 1 + (child.is_pipeline() ? count_replicas(child) : 0);
    all = std::min(all + each * child.replicas, kMaxStages + 1);
  }
  return all;
}

std::optional<LinkId> shared_link_that_drops_oldest(const Topology& topology) {
  const auto found = std::ranges::find_if(topology.links, [](const LinkSpec& link) {
    return link.consumers.size() > 1 && link.options.overflow == Overflow::drop_oldest;
  });
  return found == topology.links.end() ? std::nullopt
                                       : std::optional(static_cast<LinkId>(found - topology.links.begin()));
}

}  // namespace pystream::plan
