#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "plan/plan.hpp"
#include "plan/topology.hpp"

/// What keeps a stage or pipeline from running in replicas, for plans and for the C++ API.
namespace pystream::plan {

/// Why `member`, in a pipeline of the mode `around`, cannot have the replicas it has, as a sentence; nullopt: it can.
std::optional<std::string> replicas_fault(const Node& member, Mode around);

/// Stages and pipelines in `pipeline`, each replica counted; kMaxStages + 1 if there are more than kMaxStages.
std::size_t count_replicas(const Node& pipeline);

/// A link to replicas drops the oldest item, which would be another one for each of them.
std::optional<LinkId> link_that_cannot_deal(const Topology& topology);
inline constexpr const char* kCannotDeal =
    "\"block\" or \"drop_newest\" in front of replicas and branches: what each of them takes must not be overwritten";

}  // namespace pystream::plan
