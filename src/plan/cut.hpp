#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "plan/plan.hpp"
#include "plan/plan_json.hpp"

/// A plan with a cluster, cut into one part for each host.
///
///   source ─> A ─> B ─> sink            A and the source on "main", the rest on "gpu":
///   main:  source ─> A ─> nats.sink     writes the stream people-1-A-B
///   gpu:   nats.source ─> B ─> sink     reads it
///
/// A crossing stands between two members of the main pipeline, which must be parallel. So replicas and branches are on
/// one host, with what deals to them and collects from them, and no large item is referred to from another host.
namespace pystream::plan {

/// Stage types at the ends of parts.
inline constexpr const char* kStreamSource = "nats.source";
inline constexpr const char* kStreamSink = "nats.sink";

/// Between two parts.
struct Crossing {
  std::string from;  ///< names of the members before and behind it
  std::string to;
  std::string stream;
  std::string item_type;  ///< "any": not known
  LinkOptions link;       ///< of the links on both sides
};

struct Part {
  std::string host;
  Plan plan;                       ///< runs on one machine; stages keep their names and keys
  std::optional<Crossing> input;   ///< none: the part has the plan's source
  std::optional<Crossing> output;  ///< none: it has the plan's sink
  bool moves = false;              ///< it may be started on another machine
  /// A stage in it has a Checkpoint, which lives in shared memory: the part cannot go on once it has ended.
  bool has_state = false;
};

/// Which rule the name of a run over several hosts breaks, as a sentence; nullopt: none.
[[nodiscard]] std::optional<std::string> run_name_fault(std::string_view name);

/// Pure and deterministic: every host computes the same from the same plan. The parts in the order of the items' way,
/// or every fault that keeps the plan from being cut. REQUIRES: `plan` was validated against `types`;
/// !run_name_fault(run).
[[nodiscard]] std::variant<std::vector<Part>, std::vector<PlanFault>> cut(const Plan& plan, TypeCatalog types,
                                                                          std::string_view run);

}  // namespace pystream::plan
