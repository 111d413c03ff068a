#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "plan/json.hpp"
#include "plan/plan_reader.hpp"
#include "plan/replicas.hpp"
#include "plan/stage_names.hpp"
#include "plan/stage_reader.hpp"
#include "plan/topology.hpp"

namespace pystream::plan {
namespace {

std::string item_type(const HostedSpec& hosted, TypeCatalog types, std::string StageInfo::*side) {
  const StageType* type = find_type(types, hosted.node->stage->type);
  return type == nullptr || (type->info.*side).empty() ? "any" : type->info.*side;
}

void check_item_types(const Topology& topology, TypeCatalog types, std::vector<PlanFault>& faults) {
  for (HostedId id = 0; id < topology.hosted.size(); ++id) {
    const HostedSpec& here = topology.hosted[id];
    if (!here.first_replica) {
      continue;
    }
    const std::string taken = item_type(here, types, &StageInfo::input);
    for (const HostedId upstream : topology.upstream(id)) {
      const HostedSpec& before = topology.hosted[upstream];
      const std::string given = item_type(before, types, &StageInfo::output);
      if (before.first_replica && given != taken && given != "any" && taken != "any") {
        faults.push_back({.where = here.node->where,
                          .found = "items of type " + in_quotes(given) + " from " + before.key,
                          .expected = "items of type " + in_quotes(taken) + ", which " + here.key + " takes",
                          .hint = {}});
      }
    }
  }
}

/// REQUIRES: the stage has an input_link.
void check_own_link(const Topology& topology, HostedId id, std::vector<PlanFault>& faults) {
  const HostedSpec& hosted = topology.hosted[id];
  const std::string where = pointer_to(hosted.node->where, "link");
  const std::span<const LinkId> links = topology.links_into(id);
  if (links.empty()) {
    faults.push_back({.where = where,
                      .found = "a link in front of " + hosted.key,
                      .expected = "no link here: in a serial pipeline the stage before it calls it directly",
                      .hint = {}});
  } else if (topology.links[links.front()].answers && hosted.node->stage->input_link->overflow != Overflow::block) {
    faults.push_back({.where = pointer_to(where, "overflow"),
                      .found = in_quotes(to_string(hosted.node->stage->input_link->overflow)),
                      .expected = "\"block\": a serial pipeline waits for every item that passes here",
                      .hint = {}});
  }
}

}  // namespace

void check_flow(const Plan& plan, TypeCatalog types, std::vector<PlanFault>& faults) {
  if (count_replicas(plan.root) > kMaxStages) {
    faults.push_back({.where = "/stages",
                      .found = "more than " + std::to_string(kMaxStages) + " stages, each replica counted",
                      .expected = "fewer replicas",
                      .hint = {}});
    return;
  }
  const Topology topology = make_topology(plan);
  check_item_types(topology, types, faults);
  for (HostedId id = 0; id < topology.hosted.size(); ++id) {
    if (topology.hosted[id].first_replica && topology.hosted[id].node->stage->input_link) {
      check_own_link(topology, id, faults);
    }
  }
  if (const auto link = link_that_cannot_deal(topology)) {
    const SegmentRef replica = topology.links[*link].consumers.front();
    const std::vector<HostedId>& hosted = topology.segment(replica).hosted;
    faults.push_back({.where = hosted.empty() ? "/links/overflow" : topology.hosted[hosted.front()].node->where,
                      .found = "\"drop_oldest\" on the link " + short_key(topology.links[*link].name),
                      .expected = kCannotDeal,
                      .hint = {}});
  }
}

namespace {

/// What comes out of a stage that gets items of type `taken`: "string" if they are lines of text; empty: not known.
/// A stage that does not say leaves them what they were.
std::string items_given(const HostedSpec& hosted, const std::string& taken, TypeCatalog types) {
  const StageType* type = find_type(types, hosted.node->stage->type);
  if (type != nullptr && !type->info.framing.empty()) {
    const ParamValue* framing = hosted.node->stage->params.find(type->info.framing);
    return framing != nullptr && (*framing == ParamValue("lines") || *framing == ParamValue("path")) ? "string"
                                                                                                     : "bytes";
  }
  if (std::string given = item_type(hosted, types, &StageInfo::output); given != "any") {
    return given;
  }
  return item_type(hosted, types, &StageInfo::input) == "any" ? taken : "";
}

/// Of the items that the last stage gets, as items_given() says it.
std::string items_at_sink(const Topology& topology, TypeCatalog types) {
  std::vector<std::string> given;
  std::string taken;
  for (HostedId id = 0; id < topology.hosted.size(); ++id) {
    const std::vector<HostedId> upstream = topology.upstream(id);
    taken = upstream.empty() ? "" : given[upstream.front()];
    if (std::ranges::any_of(upstream, [&](HostedId other) { return given[other] != taken; })) {
      taken.clear();
    }
    given.push_back(items_given(topology.hosted[id], taken, types));
  }
  return taken;
}

}  // namespace

void tell_sink_its_items(Plan& plan, TypeCatalog types) {
  constexpr std::string_view kParam = "item_type";
  if (plan.exit != EndKind::hosted || !plan.sink.stage->params.has(kParam) ||
      !plan.sink.stage->params.string(kParam).empty()) {
    return;
  }
  const std::string given = items_at_sink(make_topology(plan), types);
  if (!given.empty()) {
    plan.sink.stage->params.set(std::string(kParam), given);
  }
}

}  // namespace pystream::plan
