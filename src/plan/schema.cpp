#include "plan/json.hpp"

namespace pystream::plan {
std::string plan_schema(TypeCatalog) {
  return dump_json(ParamMap{});
}
}  // namespace pystream::plan
