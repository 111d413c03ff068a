#pragma once

#include <functional>
#include <string>
#include <vector>

#include "plan/topology.hpp"

/// Which items go where in a topology, by the names of their types.
namespace pystream::plan {

inline constexpr const char* kAnyItem = "any";

/// Items and who gives them.
struct GivenItems {
  std::string type;  ///< kAnyItem: they may be of any
  std::string who;   ///< keys of stages, without the marks of replicas
};
/// What a stage gives.
using StageGives = std::function<std::string(HostedId)>;

/// What a segment gets: where it zips, or a worker without stages did that for it, tuples. Several kinds of items where
/// it merges branches, or takes the first answer; none where a source or the user's process stands.
std::vector<GivenItems> items_into(const Topology& topology, const Segment& segment, const StageGives& gives);

/// What a stage gets, from the one in front of it in its segment or by links.
std::vector<GivenItems> items_to(const Topology& topology, HostedId id, const StageGives& gives);

}  // namespace pystream::plan
