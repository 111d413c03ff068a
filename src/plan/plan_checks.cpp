#include <string>
#include <utility>

#include "plan/json.hpp"
#include "plan/plan_reader.hpp"
#include "plan/stage_reader.hpp"
#include "plan/topology.hpp"

namespace pystream::plan {
namespace {

std::string item_type(const HostedSpec& hosted, TypeCatalog types, std::string StageInfo::*side) {
  const StageType* type = find_type(types, hosted.node->stage->type);
  return type == nullptr || (type->info.*side).empty() ? "any" : type->info.*side;
}

void check_item_types(const Topology& topology, TypeCatalog types, std::vector<PlanFault>& faults) {
  for (std::size_t i = 1; i < topology.hosted.size(); ++i) {
    const HostedSpec& before = topology.hosted[i - 1];
    const HostedSpec& here = topology.hosted[i];
    const std::string given = item_type(before, types, &StageInfo::output);
    const std::string taken = item_type(here, types, &StageInfo::input);
    if (given != taken && given != "any" && taken != "any") {
      faults.push_back({.where = here.node->where,
                        .found = "items of type " + in_quotes(given) + " from " + before.key,
                        .expected = "items of type " + in_quotes(taken) + ", which " + here.key + " takes",
                        .hint = {}});
    }
  }
}

/// REQUIRES: hosted.node has an input_link.
void check_own_link(const Topology& topology, const HostedSpec& hosted, const Segment& segment,
                    std::vector<PlanFault>& faults) {
  const std::string where = pointer_to(hosted.node->where, "link");
  const bool first = topology.hosted[segment.hosted.front()].node == hosted.node;
  if (!first || !segment.input) {
    faults.push_back({.where = where,
                      .found = "a link in front of " + hosted.key,
                      .expected = "no link here: in a serial pipeline the stage before it calls it directly",
                      .hint = {}});
  } else if (topology.links[*segment.input].answers && hosted.node->stage->input_link->overflow != Overflow::block) {
    faults.push_back({.where = pointer_to(where, "overflow"),
                      .found = in_quotes(to_string(hosted.node->stage->input_link->overflow)),
                      .expected = "\"block\": a serial pipeline waits for every item that passes here",
                      .hint = {}});
  }
}

}  // namespace

void check_flow(const Plan& plan, TypeCatalog types, std::vector<PlanFault>& faults) {
  const Topology topology = make_topology(plan);
  check_item_types(topology, types, faults);
  for (const WorkerSpec& worker : topology.workers) {
    for (const Segment& segment : worker.segments) {
      for (const HostedId id : segment.hosted) {
        if (topology.hosted[id].node->stage->input_link) {
          check_own_link(topology, topology.hosted[id], segment, faults);
        }
      }
    }
  }
}

namespace {

/// What the items are that the sink gets: "string" if they are lines of text. Stages that do not say what comes out
/// leave them what they were; empty: not known.
std::string items_at_sink(const Topology& topology, TypeCatalog types) {
  for (std::size_t i = topology.hosted.size() - 1; i-- > 0;) {
    const HostedSpec& hosted = topology.hosted[i];
    const StageType* type = find_type(types, hosted.node->stage->type);
    if (type != nullptr && !type->info.framing.empty()) {
      const ParamValue* framing = hosted.node->stage->params.find(type->info.framing);
      return framing != nullptr && (*framing == ParamValue("lines") || *framing == ParamValue("path")) ? "string"
                                                                                                       : "bytes";
    }
    if (const std::string given = item_type(hosted, types, &StageInfo::output); given != "any") {
      return given;
    }
    if (item_type(hosted, types, &StageInfo::input) != "any") {
      break;  // it makes something else of them
    }
  }
  return {};
}

}  // namespace

void tell_sink_its_items(Plan& plan, TypeCatalog types) {
  constexpr std::string_view kParam = "item_type";
  if (plan.exit != EndKind::hosted || !plan.sink.stage->params.has(kParam) ||
      !plan.sink.stage->params.string(kParam).empty()) {
    return;
  }
  const Topology topology = make_topology(plan);
  if (topology.hosted.size() < 2) {
    return;
  }
  const std::string given = items_at_sink(topology, types);
  if (!given.empty()) {
    plan.sink.stage->params.set(std::string(kParam), given);
  }
}

}  // namespace pystream::plan
