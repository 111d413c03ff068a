#include "plan/item_types.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "plan/stage_names.hpp"

namespace pystream::plan {
namespace {

/// Replicas give the same.
void add(std::vector<GivenItems>& all, GivenItems more) {
  const auto same = [&](const GivenItems& other) { return other.type == more.type && other.who == more.who; };
  if (std::ranges::none_of(all, same)) {
    all.push_back(std::move(more));
  }
}

std::vector<GivenItems> items_on(const Topology& topology, LinkId link, const StageGives& gives) {
  const Segment& producer = topology.segment(topology.links[link].producer);
  if (producer.stages.empty()) {
    return items_into(topology, producer, gives);
  }
  const StageId last = producer.stages.back();
  return {{.type = gives(last), .who = without_replicas(topology.stages[last].key)}};
}

GivenItems tuple_of(const Topology& topology, const Segment& segment, const StageGives& gives) {
  GivenItems tuple;
  bool known = true;
  for (const LinkId link : segment.inputs) {
    const std::vector<GivenItems> parts = items_on(topology, link, gives);
    known &= parts.size() == 1 && parts.front().type != kAnyItem;
    if (!parts.empty()) {
      const bool first = tuple.who.empty();
      tuple.type += (first ? "" : ", ") + parts.front().type;
      tuple.who += (first ? "" : " and ") + parts.front().who;
    }
  }
  tuple.tuple = true;
  tuple.type = known ? "tuple<" + tuple.type + ">" : kAnyItem;
  return tuple;
}

}  // namespace

std::vector<GivenItems> items_into(const Topology& topology, const Segment& segment, const StageGives& gives) {
  if (segment.inputs.size() > 1 && segment.collect == Collect::zip) {
    return {tuple_of(topology, segment, gives)};
  }
  std::vector<GivenItems> all;
  for (const LinkId link : segment.inputs) {
    for (GivenItems& items : items_on(topology, link, gives)) {
      add(all, std::move(items));
    }
  }
  return all;
}

bool fits(const GivenItems& given, const std::string& taken) {
  if (given.type == kAnyItem) {
    return !given.tuple || taken == kAnyItem || taken.starts_with("tuple<");
  }
  return given.type == taken || taken == kAnyItem;
}

std::optional<std::pair<GivenItems, GivenItems>> differing_items(const std::vector<GivenItems>& all) {
  for (const GivenItems& one : all) {
    if (one.type != kAnyItem && all.front().type != kAnyItem && one.type != all.front().type) {
      return std::pair(all.front(), one);
    }
  }
  return std::nullopt;
}

std::vector<GivenItems> items_to(const Topology& topology, StageId id, const StageGives& gives) {
  const std::vector<StageId>& row = topology.segment_of(id).stages;
  if (id == row.front()) {
    return items_into(topology, topology.segment_of(id), gives);
  }
  const StageId before = *std::prev(std::ranges::find(row, id));
  return {{.type = gives(before), .who = without_replicas(topology.stages[before].key)}};
}

}  // namespace pystream::plan
