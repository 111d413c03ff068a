#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "plan/plan_json.hpp"
#include "plan/topology.hpp"

namespace {

using namespace pystream;
using namespace pystream::plan;

std::vector<StageType> make_types() {
  const std::vector<ParamSpec> params{
      {.name = "n", .type = ParamType::integer, .fallback = ParamValue(1), .min = 0, .max = 9},
      {.name = "s", .type = ParamType::string, .fallback = ParamValue("a"), .choices = {"a", "b"}},
      {.name = "z", .type = ParamType::size, .fallback = ParamValue()},
      {.name = "d", .type = ParamType::duration, .fallback = ParamValue("1s")},
      {.name = "x", .type = ParamType::any, .fallback = ParamValue()},
      {.name = "l", .type = ParamType::list, .fallback = ParamValue()}};
  return {{.name = "in", .kind = StageKind::source, .info = {.params = params, .output = "text"}},
          {.name = "do", .kind = StageKind::stage, .info = {.params = params, .input = "text", .output = "text"}},
          {.name = "out", .kind = StageKind::sink, .info = {.params = params, .input = "any"}}};
}

/// What was accepted must come back the same.
void check_plan(std::string_view text, const std::vector<StageType>& types) {
  const auto result = read_plan(text, types);
  if (const auto* plan = std::get_if<Plan>(&result)) {
    make_topology(*plan);
    const auto again = read_written_plan(write_plan(*plan), types);
    if (!std::holds_alternative<Plan>(again) || !(std::get<Plan>(again) == *plan)) {
      std::abort();
    }
  } else if (std::get<std::vector<PlanFault>>(result).empty()) {
    std::abort();
  }
}

void check_catalog(std::string_view text) {
  const auto result = read_catalog(text);
  if (const auto* types = std::get_if<std::vector<StageType>>(&result)) {
    const std::string written = write_catalog(*types);
    const auto again = read_catalog(written);
    if (!std::holds_alternative<std::vector<StageType>>(again) ||
        write_catalog(std::get<std::vector<StageType>>(again)) != written) {
      std::abort();
    }
    plan_schema(*types);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<StageType> kTypes = make_types();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_plan(text, kTypes);
  check_catalog(text);
  return 0;
}
