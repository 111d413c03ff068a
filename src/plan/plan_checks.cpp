#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "plan/item_types.hpp"
#include "plan/json.hpp"
#include "plan/plan_reader.hpp"
#include "plan/replicas.hpp"
#include "plan/stage_names.hpp"
#include "plan/stage_reader.hpp"
#include "plan/topology.hpp"

namespace pystream::plan {
namespace {

std::string item_type(const PlacedStage& placed, TypeCatalog types, std::string StageInfo::*side) {
  const StageType* type = find_type(types, placed.node->stage->type);
  return type == nullptr || (type->info.*side).empty() ? "any" : type->info.*side;
}

void check_item_types(const Topology& topology, TypeCatalog types, std::vector<PlanFault>& faults) {
  const auto gives = [&](StageId id) { return item_type(topology.stages[id], types, &StageInfo::output); };
  for (StageId id = 0; id < topology.stages.size(); ++id) {
    const PlacedStage& here = topology.stages[id];
    const std::string taken = item_type(here, types, &StageInfo::input);
    if (!here.first_replica) {
      continue;
    }
    if (const auto differ = differing_items(items_to(topology, id, gives))) {
      faults.push_back({.where = here.node->where,
                        .found = "items of type " + in_quotes(differ->first.type) + " from " + differ->first.who +
                                 " and of type " + in_quotes(differ->second.type) + " from " + differ->second.who,
                        .expected = "items of one type from all branches in front of " + here.key,
                        .hint = {}});
      continue;
    }
    for (const GivenItems& given : items_to(topology, id, gives)) {
      if (!fits(given, taken)) {
        faults.push_back({.where = here.node->where,
                          .found = "items of type " + in_quotes(given.type) + " from " + given.who,
                          .expected = "items of type " + in_quotes(taken) + ", which " + here.key + " takes",
                          .hint = {}});
      }
    }
  }
}

/// All that read the link want it so, or have no wish.
bool agree_on_link(const Topology& topology, LinkId link) {
  const std::optional<LinkOptions>* wanted = nullptr;
  for (const SegmentRef consumer : topology.links[link].consumers) {
    const std::vector<StageId>& stages = topology.segment(consumer).stages;
    const auto* wish = stages.empty() ? nullptr : &topology.stages[stages.front()].node->stage->input_link;
    if (wish == nullptr || !*wish) {
      continue;
    }
    if (wanted != nullptr && *wanted != *wish) {
      return false;
    }
    wanted = wish;
  }
  return true;
}

/// REQUIRES: the stage has an input_link.
void check_own_link(const Topology& topology, StageId id, std::vector<PlanFault>& faults) {
  const PlacedStage& placed = topology.stages[id];
  const std::string where = pointer_to(placed.node->where, "link");
  const std::span<const LinkId> links = topology.links_into(id);
  if (links.empty()) {
    faults.push_back({.where = where,
                      .found = "a link in front of " + placed.key,
                      .expected = "no link here: in a serial pipeline the stage before it calls it directly",
                      .hint = {}});
  } else if (topology.links[links.front()].answers && placed.node->stage->input_link->overflow != Overflow::block) {
    faults.push_back(
        {.where = pointer_to(where, "overflow"),
         .found = in_quotes(to_string(placed.node->stage->input_link->overflow)),
         .expected = "\"block\": a serial pipeline waits for every item that passes here, as replicas and branches do",
         .hint = {}});
  } else if (!agree_on_link(topology, links.front())) {
    faults.push_back({.where = where,
                      .found = "a link in front of " + placed.key + " that another branch does not want so",
                      .expected = "the same \"link\" at the first stage of each branch: they read one link",
                      .hint = {}});
  }
}

}  // namespace

void check_flow(const Plan& plan, TypeCatalog types, std::vector<PlanFault>& faults) {
  if (plan.entry == EndKind::none) {
    return;  // a fault already; there is no way for items
  }
  if (count_replicas(plan.root) > kMaxStages) {
    faults.push_back({.where = "/stages",
                      .found = "more than " + std::to_string(kMaxStages) + " stages, each replica counted",
                      .expected = "fewer replicas",
                      .hint = {}});
    return;
  }
  const Topology topology = make_topology(plan);
  check_item_types(topology, types, faults);
  for (StageId id = 0; id < topology.stages.size(); ++id) {
    if (topology.stages[id].first_replica && topology.stages[id].node->stage->input_link) {
      check_own_link(topology, id, faults);
    }
  }
  if (const auto link = shared_link_that_drops_oldest(topology)) {
    const SegmentRef replica = topology.links[*link].consumers.front();
    const std::vector<StageId>& stages = topology.segment(replica).stages;
    faults.push_back({.where = stages.empty() ? "/links/overflow" : topology.stages[stages.front()].node->where,
                      .found = "\"drop_oldest\" on the link " + topology.links[*link].name,
                      .expected = kSharedLinkOverflow,
                      .hint = {}});
  }
}

namespace {

/// What comes out of a stage that gets items of type `taken`: "string" if they are lines of text; empty: not known.
/// A stage that does not say so keeps their type.
std::string items_given(const PlacedStage& placed, const std::string& taken, TypeCatalog types) {
  const StageType* type = find_type(types, placed.node->stage->type);
  if (type != nullptr && !type->info.framing.empty()) {
    const ParamValue* framing = placed.node->stage->params.find(type->info.framing);
    return framing != nullptr && (*framing == ParamValue("lines") || *framing == ParamValue("path")) ? "string"
                                                                                                     : "bytes";
  }
  if (std::string given = item_type(placed, types, &StageInfo::output); given != "any") {
    return given;
  }
  return item_type(placed, types, &StageInfo::input) == "any" ? taken : "";
}

}  // namespace

/// As items_given() says it.
std::vector<std::string> items_taken(const Topology& topology, TypeCatalog types, const ItemsGiven& known) {
  std::vector<std::string> all_taken;
  std::vector<std::string> all_given;
  for (StageId id = 0; id < topology.stages.size(); ++id) {
    const std::vector<GivenItems> into = items_to(topology, id, [&](StageId other) { return all_given[other]; });
    const bool one_kind = !into.empty() && std::ranges::all_of(into, [&](const GivenItems& items) {
      return items.type == into.front().type;
    });
    std::string taken = one_kind ? into.front().type : std::string();
    if (taken.starts_with("tuple<")) {
      taken.clear();
    }
    std::string given = known ? known(topology.stages[id]) : std::string();
    all_given.push_back(given.empty() ? items_given(topology.stages[id], taken, types) : std::move(given));
    all_taken.push_back(std::move(taken));
  }
  return all_taken;
}

namespace {

constexpr std::string_view kItemType = "item_type";

/// A sink whose output depends on its items' type.
bool asks(const Node& node) {
  return node.kind == StageKind::sink && node.stage && node.stage->params.has(kItemType) &&
         node.stage->params.string(kItemType).empty();
}

void find_askers(Node& node, std::vector<Node*>& found) {
  if (asks(node)) {
    found.push_back(&node);
  }
  for (Node& child : node.children) {
    find_askers(child, found);
  }
}

}  // namespace

void tell_sinks_their_items(Plan& plan, TypeCatalog types, const ItemsGiven& given) {
  std::vector<Node*> askers;
  find_askers(plan.root, askers);
  if (plan.exit == EndKind::stage) {
    find_askers(plan.sink, askers);
  }
  if (askers.empty() || count_replicas(plan.root) > kMaxStages) {
    return;
  }
  const Topology topology = make_topology(plan);
  const std::vector<std::string> taken = items_taken(topology, types, given);
  for (StageId id = 0; id < topology.stages.size(); ++id) {
    const auto asker = std::ranges::find(askers, topology.stages[id].node);
    if (asker != askers.end() && !taken[id].empty()) {
      (*asker)->stage->params.set(std::string(kItemType), taken[id]);
    }
  }
}

}  // namespace pystream::plan
