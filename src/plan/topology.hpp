#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/sharing.hpp"
#include "plan/plan.hpp"

/// What runs for a nested plan: workers (processes), the stages in each of them, and the links between them.
namespace pystream::plan {

using WorkerId = std::uint32_t;
using LinkId = std::uint32_t;
using StageId = std::uint32_t;  ///< index into Topology::stages

using Role = StageKind;

/// A segment by its place: the index-th of that worker's row.
struct SegmentRef {
  WorkerId worker = 0;
  std::uint32_t index = 0;

  bool operator==(const SegmentRef&) const = default;
  static void fields(auto& self, auto& code) { code(self.worker, self.index); }
};

/// A source, stage or sink in its place in the topology.
struct PlacedStage {
  std::string key;  ///< profile key, e.g. MainPipeline__Child__StageA; the source and sink get
                    ///< MainPipeline__Source and MainPipeline__Sink unless they are named
  Role role = Role::stage;
  const Node* node = nullptr;  ///< points into the Plan, which must outlive the Topology
  WorkerId worker = 0;
  std::uint32_t segment = 0;  ///< of the worker's row
  std::uint32_t index = 0;    ///< among all stages of the worker
  std::uint32_t in_plan = 0;  ///< which stage of the plan, in the order of the items' way; its replicas have the same
  bool first_replica = true;  ///< of those with the same `in_plan`

  static void fields(auto& self, auto& code) {
    code(self.key, self.role, self.worker, self.segment, self.index, self.in_plan, self.first_replica);
  }
};

/// How a segment takes from several links.
enum class Collect {
  turn,     ///< from replicas: the answers to one unit from one link, to the next unit from the next
  dealing,  ///< from replicas: to each unit from the link of the one that it was dealt to; see Segment::followed
  merge,    ///< from branches: all answers to an item, in the order of the links
  zip,      ///< from branches: one item of the answers of all links
  first,    ///< from branches: the answers of the link that is the first to give some
};

/// Part of a worker's row: read from links, call stages one after another, write to links.
struct Segment {
  /// None: the first stage is a source, or the user's process feeds the pipeline here. Several: the links of replicas
  /// or branches.
  std::vector<LinkId> inputs{};
  Collect collect = Collect::turn;
  std::optional<LinkId> followed{};  ///< the dealing link, beside the inputs; see LinkSpec::follower
  std::vector<StageId> stages{};     ///< may be empty: items pass through unchanged
  std::vector<LinkId> outputs{};     ///< of a sink its terminal link; none: the user's process takes the items
  bool aside = false;                ///< in a branch that ends in a sink of its own

  static void fields(auto& self, auto& code) {
    code(self.inputs, self.collect, self.followed, self.stages, self.outputs, self.aside);
  }
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
  std::vector<Segment> segments{};

  /// False for the user's process where it only feeds the pipeline or reads from it; true where it runs a serial row,
  /// also one of nothing but parallel pipelines.
  bool runs_row() const { return !external || segments.size() > 1 || !segments.front().stages.empty(); }
  static void fields(auto& self, auto& code) { code(self.name, self.external, self.segments); }
};

struct LinkSpec {
  std::string name;  ///< "Enhance.Resize -> Encode", by the short forms of worker names
  SegmentRef producer;
  std::vector<SegmentRef> consumers{};  ///< none: a terminal link, which carries a sink's journal and no items
  Sharing sharing = Sharing::every;
  /// Items are not dealt in turn: the segment that collects the replicas' answers reads in this link, which it does not
  /// take from, to whom each item was dealt.
  std::optional<SegmentRef> follower{};
  const Node* shared_by = nullptr;  ///< the node with the replicas, of a link that deals; as PlacedStage::node
  /// Inside a child of a serial pipeline: every input is answered, by a tombstone if nothing comes out.
  bool answers = false;
  bool one_answer = false;       ///< inside branches that are zipped: each stage gives at most one item for an input
  std::uint32_t item_parts = 1;  ///< number of items that may be joined into one
  /// The consumer's own, where they are set, else the plan's. Links with `answers` always block.
  LinkOptions options{};

  bool is_terminal() const { return consumers.empty(); }
  bool deals() const { return is_dealt(sharing); }
  static void fields(auto& self, auto& code) {
    code(self.name, self.producer, self.consumers, self.sharing, self.follower, self.answers, self.one_answer,
         self.item_parts, self.options);
  }
};

/// A graph: segments are its nodes, links its edges.
struct Topology {
  std::vector<PlacedStage> stages;  ///< each behind those that it gets items from
  std::vector<WorkerSpec> workers;  ///< in the order of the items' way; index is the WorkerId
  std::vector<LinkSpec> links;      ///< in the order of the items' way, then the terminal ones; index is the LinkId
  std::vector<std::string> pipeline_keys;  ///< profile keys of every pipeline, outermost first

  const Segment& segment(SegmentRef at) const { return workers.at(at.worker).segments.at(at.index); }
  const Segment& segment_of(StageId id) const { return segment({stages.at(id).worker, stages.at(id).segment}); }

  /// All but the terminal ones.
  std::span<const LinkSpec> item_links() const;
  /// Links that a stage reads or writes itself; none where its neighbour in the segment calls it or is called by it.
  std::span<const LinkId> links_into(StageId id) const;
  std::span<const LinkId> links_out_of(StageId id) const;
  /// Stages whose results a stage gets, and those that get its results, whether by a link or by a call.
  std::vector<StageId> upstream(StageId id) const;
  std::vector<StageId> downstream(StageId id) const;

  /// Stages that get what the user's process gives the pipeline.
  std::vector<StageId> first_stages() const;
  /// From which the user's process takes the results, if it does.
  const Segment& result_segment() const;

  /// Links of which the user's process is the producer, or a consumer. Where it runs no row these are the entrance and
  /// the exit of the pipeline.
  std::vector<LinkId> fed_by_user() const;
  std::vector<LinkId> read_by_user() const;
  /// Items that come out of this segment leave the main pipeline; not those of a sink aside.
  bool leaves_pipeline(const Segment& segment) const;
  bool has_source(WorkerId id) const;
  bool has_sink(WorkerId id) const;
  /// Which of the link's consumers the segment is. REQUIRES: it reads the link.
  std::uint32_t consumer_index(LinkId link, SegmentRef consumer) const;

  /// All but the nodes.
  static void fields(auto& self, auto& code) { code(self.stages, self.workers, self.links, self.pipeline_keys); }
};

/// Pure and deterministic: coordinator and workers each compute the same from the same plan.
/// REQUIRES: the plan was validated (names are legal and unique, no pipeline is empty).
Topology make_topology(const Plan& plan);

}  // namespace pystream::plan
