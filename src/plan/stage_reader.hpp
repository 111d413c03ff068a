#pragma once

#include <string>
#include <vector>

#include "plan/object_reader.hpp"
#include "plan/plan_json.hpp"

namespace pystream::plan {

struct StageContext {
  TypeCatalog types;
  DurationForm durations;
  std::vector<PlanFault>& faults;
};

/// A stage, source or sink, all but its name.
StageSpec read_stage(const ObjectReader& reader, StageKind kind, const StageContext& context);

/// The value of `links` or of a stage's `link`.
LinkOptions read_links(const ParamValue& value, std::string where, std::vector<PlanFault>& faults);

const StageType* find_type(TypeCatalog types, std::string_view name);

}  // namespace pystream::plan
