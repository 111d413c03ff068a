#pragma once

#include <functional>
#include <pystream/params.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plan/plan_json.hpp"
#include "plan/topology.hpp"

/// The steps of read_plan(), each of which adds what it finds wrong to the faults and goes on.
namespace pystream::plan {

/// Puts the overrides into the document, so that they are checked like everything else in it.
void apply_overrides(ParamValue& document, std::span<const ParamOverride> overrides, TypeCatalog types,
                     std::vector<PlanFault>& faults);

/// Who wrote a document: people, or write_plan(), which may use what people must not.
enum class PlanForm { file, written };

/// The document as a plan: keys, values, names, stage types and their parameters. What is wrong in a node does not
/// remove it from the plan.
Plan plan_of(const ParamValue& document, PlanForm form, TypeCatalog types, std::vector<PlanFault>& faults);

/// The plugin files a document names.
std::vector<std::string> plugins_of(const ParamValue& document, std::vector<PlanFault>& faults);

/// What concerns two nodes: item types along the items' way, and links where there are none.
void check_flow(const Plan& plan, TypeCatalog types, std::vector<PlanFault>& faults);

/// The item type that a stage gives if its stage type does not say it; empty: unknown.
using ItemsGiven = std::function<std::string(const PlacedStage&)>;

/// Sinks with a parameter "item_type" that was left empty get the type of the items that reach them, as far as the
/// stages before them declare it: text is then written as lines. REQUIRES: the plan has no faults.
void tell_sinks_their_items(Plan& plan, TypeCatalog types, const ItemsGiven& given = {});

/// Of the items that each of the topology's stages gets, the type as far as it is known, else "". `known`: as above.
std::vector<std::string> items_taken(const Topology& topology, TypeCatalog types, const ItemsGiven& known = {});

/// Names as the reader gives them to stages without one, counting in `unnamed`.
std::string next_unnamed(std::size_t& unnamed);

/// Key that write_plan() sets and that plan files must not have: durations may be plain nanoseconds, source and sink
/// may be kExternal.
inline constexpr std::string_view kNormalizedKey = "$normalized";
inline constexpr std::string_view kExternal = "external";

}  // namespace pystream::plan
