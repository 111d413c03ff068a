#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plan/plan.hpp"

/// Nesting turned into what runs: workers (processes), the stages each of them hosts, and the links between them.
namespace pystream::plan {

using WorkerId = std::uint32_t;
using LinkId = std::uint32_t;
using HostedId = std::uint32_t;  ///< index into Topology::hosted

using Role = StageKind;

/// A source, stage or sink in its place.
struct HostedSpec {
  std::string key;  ///< profile key, e.g. MainPipeline__Child__StageA; the source and sink get
                    ///< MainPipeline__Source and MainPipeline__Sink unless they are named
  Role role = Role::stage;
  const Node* node = nullptr;  ///< points into the Plan, which must outlive the Topology
  WorkerId worker = 0;
};

/// Part of a worker's row: read from a link, call stages one after another, write to a link.
struct Segment {
  std::optional<LinkId> input;   ///< none: the first hosted is a source
  std::vector<HostedId> hosted;  ///< may be empty: items pass through unchanged
  std::optional<LinkId> output;  ///< none: the last hosted is a sink
};

/// One process. A worker with several segments is a serial row with parallel children in it: segment i + 1 reads
/// what came back from the child that segment i wrote to, and segment 0 takes the next item only when the last
/// segment has committed this one.
///
/// A serial main pipeline whose ends are both external is a row that the user's process runs itself: one external
/// worker whose first segment has no input and whose last has no output.
struct WorkerSpec {
  std::string name;       ///< profile key of its stage, or of its serial pipeline
  bool external = false;  ///< the user's process, not a worker: forward() and get_results()
  std::vector<Segment> segments;
};

struct LinkSpec {
  std::string name;  ///< "Producer -> Consumer", by worker names without the main pipeline's prefix
  WorkerId producer = 0;
  WorkerId consumer = 0;
  /// Inside a child of a serial pipeline: every input is answered, by a tombstone if nothing comes out.
  bool answers = false;
  /// The consumer's own, where they are set, else the plan's. Links with `answers` always block.
  LinkOptions options;
};

struct Topology {
  std::vector<HostedSpec> hosted;
  std::vector<WorkerSpec> workers;         ///< in the order of the items' way; index is the WorkerId
  std::vector<LinkSpec> links;             ///< index is the LinkId
  std::vector<std::string> pipeline_keys;  ///< profile keys of every pipeline, outermost first
};

/// Pure and deterministic: coordinator and workers each compute the same from the same plan.
/// REQUIRES: the plan was validated (names are legal and unique, no pipeline is empty).
Topology make_topology(const Plan& plan);

}  // namespace pystream::plan
