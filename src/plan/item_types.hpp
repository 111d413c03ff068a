#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "plan/topology.hpp"

/// Which items go where in a topology, by the names of their types.
namespace pystream::plan {

inline constexpr const char* kAnyItem = "any";

/// Items and who gives them.
struct GivenItems {
  std::string type;    ///< kAnyItem: they may be of any
  std::string who;     ///< keys of stages, without the marks of replicas
  bool tuple = false;  ///< they are tuples, also if the type of a part is not known
};
/// The item type that a stage gives.
using StageGives = std::function<std::string(StageId)>;

/// What a segment gets: where it zips, or a worker without stages did that for it, tuples. Several kinds of items where
/// it merges branches, or takes the first answer; none where a source or the user's process stands.
std::vector<GivenItems> items_into(const Topology& topology, const Segment& segment, const StageGives& gives);

/// What a stage gets, from the one in front of it in its segment or by links.
std::vector<GivenItems> items_to(const Topology& topology, StageId id, const StageGives& gives);

/// Whether what takes items of type `taken` may get these, as far as is known.
bool fits(const GivenItems& given, const std::string& taken);

/// Two of them that are of different types; nullopt: there are none. Branches give items of one type.
std::optional<std::pair<GivenItems, GivenItems>> differing_items(const std::vector<GivenItems>& all);

}  // namespace pystream::plan
