#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "plan/plan.hpp"
#include "plan/topology.hpp"

/// What keeps a stage or pipeline from running in replicas, and a link from being shared, for plans and the C++ API.
namespace pystream::plan {

/// Why `member`, in a pipeline of the mode `around`, cannot have the replicas it has, as a sentence; nullopt: it can.
std::optional<std::string> replicas_fault(const Node& member, Mode around);

/// Stages and pipelines in `pipeline`, each replica counted; kMaxStages + 1 if there are more than kMaxStages.
std::size_t count_replicas(const Node& pipeline);

/// A link with several consumers (replicas or branches) whose overflow is `drop_oldest`, which is not possible: the
/// oldest item is a different one for each consumer. nullopt: there is none.
std::optional<LinkId> shared_link_that_drops_oldest(const Topology& topology);
/// What is expected in its place, for messages.
inline constexpr const char* kSharedLinkOverflow =
    "\"block\" or \"drop_newest\" in front of replicas and branches: what each of them takes must not be overwritten";

}  // namespace pystream::plan
