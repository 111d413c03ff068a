#include "plan/plan_reader.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "plan/branches.hpp"
#include "plan/cluster_json.hpp"
#include "plan/json.hpp"
#include "plan/object_reader.hpp"
#include "plan/replicas.hpp"
#include "plan/share_json.hpp"
#include "plan/stage_reader.hpp"

namespace pystream::plan {
namespace {

/// Names taken in one pipeline.
using Siblings = std::set<std::string, std::less<>>;

class PlanReader {
 public:
  PlanReader(PlanForm form, TypeCatalog types, std::vector<PlanFault>& faults)
      : types_(types), faults_(faults), normalized_(form == PlanForm::written) {}

  Plan read(const ParamValue& document) {
    const ObjectReader root(document, "", root_keys(), faults_);
    if (!normalized_ && root.find(kNormalizedKey) != nullptr) {
      add_fault(root.at(kNormalizedKey), "the key " + in_quotes(kNormalizedKey),
                "a plan file without it: it marks what a coordinator hands to its workers");
    }
    Plan plan;
    root.read("name", plan.name);
    plan.plugins = plugins_of(document, faults_);
    if (root.find("links") != nullptr) {
      plan.links = read_links(*root.find("links"), root.at("links"), faults_);
    }
    read_profiler(root, plan);
    read_restarts(root, plan.restarts);
    read_cluster_of(root, plan);
    Siblings names;
    plan.entry = end(root, "source", StageKind::source, plan.source, names);
    plan.exit = end(root, "sink", StageKind::sink, plan.sink, names);
    plan.root.name = kMainPipeline;
    read_members(root, {.where = "", .level = 1}, plan.root, std::move(names));
    return plan;
  }

 private:
  /// Where in the plan a pipeline or a stage stands.
  struct Place {
    std::string where;
    std::size_t level = 0;      ///< of nesting
    bool ends_in_sink = false;  ///< it is a branch that joins nothing, or the last in one
  };

  StageContext context() const {
    return {types_, normalized_ ? DurationForm::text_or_nanoseconds : DurationForm::text, faults_};
  }

  void add_fault(std::string where, std::string found, std::string expected, std::string hint = {}) {
    faults_.push_back({std::move(where), std::move(found), std::move(expected), std::move(hint)});
  }

  void read_profiler(const ObjectReader& root, Plan& plan) {
    if (const ParamValue* value = root.find("profiler")) {
      const ObjectReader reader(*value, root.at("profiler"), profiler_keys(), faults_);
      reader.read("enabled", plan.profiler.enabled);
      reader.read("max_history", plan.profiler.max_history);
      reader.read("rows_per_second", plan.profiler.rows_per_second);
      reader.read("keep_runs", plan.profiler.keep_runs);
      reader.read("keep_bytes", plan.profiler.keep_bytes);
      std::string folder;
      reader.read("folder", folder);
      if (!folder.empty()) {
        plan.profiler.folder = folder;
      } else if (const ParamValue* empty = reader.find("folder"); empty && *empty == ParamValue("")) {
        add_fault(reader.at("folder"), "\"\"", "a folder");
      }
    }
  }

  void read_restarts(const ObjectReader& root, RestartPolicy& restarts) {
    if (const ParamValue* value = root.find("restarts")) {
      const ObjectReader reader(*value, root.at("restarts"), restarts_keys(), faults_);
      reader.read("max_restarts", restarts.max_restarts);
      reader.read("window", restarts.window);
      reader.read("backoff_first", restarts.backoff_first);
      reader.read("backoff_limit", restarts.backoff_limit);
      if (restarts.backoff_first > restarts.backoff_limit) {
        add_fault(root.at("restarts"), "a backoff_first above backoff_limit",
                  "a backoff_limit of at least backoff_first (defaults: 10ms and 5s)");
      }
    }
  }

  void read_cluster_of(const ObjectReader& root, Plan& plan) {
    const ParamValue* value = root.find("cluster");
    if (value == nullptr) {
      return;
    }
    plan.cluster = read_cluster(*value, root.at("cluster"), faults_);
    if (root.find("name") == nullptr) {
      add_fault("", "\"cluster\" without \"name\"", "a name beside it, by which the streams of the plan are called");
    } else if (const auto broken = short_name_fault(plan.name)) {
      add_fault(root.at("name"), in_quotes(plan.name), "another name beside \"cluster\": " + *broken);
    }
  }

  void read_host(const ObjectReader& reader, Node& node) {
    reader.read("host", node.host);
    const ParamValue* given = reader.find("host");
    if (given == nullptr || !std::holds_alternative<std::string>(*given)) {
      return;
    }
    if (const auto broken = short_name_fault(node.host)) {
      add_fault(reader.at("host"), in_quotes(node.host), "the name of a host: " + *broken);
    }
  }

  EndKind end(const ObjectReader& root, std::string_view key, StageKind kind, Node& node, Siblings& names) {
    const ParamValue* value = root.find(key);
    const bool source = kind == StageKind::source;
    if (value != nullptr && normalized_ && *value == ParamValue(std::string(kExternal))) {
      names.emplace(source ? kEntry : kExit);
      return EndKind::external;
    }
    if (value == nullptr) {
      return EndKind::none;
    }
    node.where = root.at(key);
    node.kind = kind;
    const ObjectReader reader(*value, node.where, keys_of(kind), faults_);
    reader.read("name", node.name);
    if (reader.find("name") != nullptr) {
      check_name(node, reader.find("name"), names);
    } else if (!names.emplace(source ? kSource : kSink).second) {
      add_fault(node.where, "an unnamed " + std::string(key) + " beside a source named " + in_quotes(kSink),
                "names that differ");
    }
    read_host(reader, node);
    node.stage = read_stage(reader, kind, context());
    return EndKind::stage;
  }

  void read_members(const ObjectReader& pipeline, const Place& place, Node& node, Siblings names) {
    pipeline.read("mode", node.mode);
    pipeline.read("join", node.join);
    if (pipeline.find("join") != nullptr && !node.branches()) {
      add_fault(pipeline.at("join"), "\"join\" in a pipeline of mode " + in_quotes(to_string(node.mode)),
                "\"mode\": \"branch\" beside it");
    }
    const ParamList* members = pipeline.list("stages");
    if (members == nullptr) {
      return;
    }
    const std::string here = pointer_to(place.where, "stages");
    // Letters of a sink are replayed by its plan without stages; plan files must have some.
    const bool may_be_empty = normalized_ && place.level == 1;
    if (members->empty() && !may_be_empty) {
      add_fault(here, "an empty list", "at least one stage");
    }
    std::size_t unnamed = 0;
    node.children.reserve(std::min(members->size(), kMaxStages));
    for (std::size_t i = 0; i < members->size() && count_stage(here); ++i) {
      const bool last = i + 1 == members->size();
      node.children.push_back(member((*members)[i],
                                     {.where = pointer_to(here, i),
                                      .level = place.level,
                                      .ends_in_sink = member_ends_in_sink(node, last, place.ends_in_sink)},
                                     unnamed));
      check_name(node.children.back(), find_key((*members)[i], "name"), names);
      check_replicas(node.children.back(), node.mode);
    }
    if (auto fault = branches_fault(node, place.ends_in_sink)) {
      add_fault(place.where, std::move(fault->found), std::move(fault->expected));
    }
  }

  void read_replicas(const ObjectReader& reader, Node& node) {
    const ParamValue* replicas = reader.find("replicas");
    const auto* word = replicas != nullptr ? std::get_if<std::string>(replicas) : nullptr;
    node.auto_replicas = word != nullptr && *word == kAutoReplicas;
    if (node.auto_replicas) {
      node.replicas = 2;
    } else {
      reader.read("replicas", node.replicas);
    }
    const ParamValue* share = reader.find("share");
    if (share == nullptr) {
      return;
    }
    node.share = read_share(*share, reader.at("share"), faults_);
    if (reader.find("replicas") == nullptr) {
      add_fault(reader.at("share"), "\"share\" without replicas", "\"replicas\": 2 or more beside it");
    }
  }

  void check_replicas(const Node& member, Mode around) {
    if (auto fault = replicas_fault(member, around)) {
      add_fault(pointer_to(member.where, "replicas"), std::to_string(member.replicas), std::move(*fault));
    }
  }

  /// False once there are too many.
  bool count_stage(const std::string& where) {
    if (++stages_ == kMaxStages + 1) {
      add_fault(where, "more than " + std::to_string(kMaxStages) + " stages in this plan", "fewer stages");
    }
    return stages_ <= kMaxStages;
  }

  Node member(const ParamValue& value, const Place& place, std::size_t& unnamed) {
    Node node{.name = {}, .where = place.where, .stage = {}, .mode = Mode::parallel, .children = {}};
    const bool pipeline = find_key(value, "stages") != nullptr || find_key(value, "mode") != nullptr;
    if (pipeline && find_key(value, "type") != nullptr) {
      add_fault(place.where, "\"type\" beside \"stages\" or \"mode\"",
                "\"type\" for a stage, or \"mode\" and \"stages\" for a pipeline");
      node.stage.emplace();
    } else if (pipeline && place.level == kMaxNesting) {
      add_fault(place.where, "pipelines nested deeper than " + std::to_string(kMaxNesting) + " levels", "less nesting");
      node.stage.emplace();
    } else if (pipeline) {
      const ObjectReader reader(value, place.where, pipeline_keys(), faults_);
      reader.read("name", node.name);
      read_host(reader, node);
      read_replicas(reader, node);
      Place inside = place;
      ++inside.level;
      read_members(reader, inside, node, {});
    } else {
      node.kind = place.ends_in_sink ? StageKind::sink : StageKind::stage;
      const ObjectReader reader(value, place.where, keys_of(node.kind), faults_);
      reader.read("name", node.name);
      read_host(reader, node);
      if (node.kind == StageKind::stage) {
        read_replicas(reader, node);
      }
      node.stage = read_stage(reader, node.kind, context());
    }
    if (find_key(value, "name") == nullptr) {
      node.name = next_unnamed(unnamed);
    }
    return node;
  }

  void check_name(const Node& node, const ParamValue* given, Siblings& names) {
    if (given != nullptr && !std::holds_alternative<std::string>(*given)) {
      return;  // a fault already
    }
    const std::string where = given != nullptr ? pointer_to(node.where, "name") : node.where;
    if (const auto broken = stage_name_fault(node.name)) {
      add_fault(where, in_quotes(node.name), "another name: " + *broken);
    } else if (!names.insert(node.name).second) {
      add_fault(where, "a second " + in_quotes(node.name), "another name: names are unique within a pipeline");
    }
  }

  TypeCatalog types_;
  std::vector<PlanFault>& faults_;
  bool normalized_;
  std::size_t stages_ = 0;
};

}  // namespace

std::vector<std::string> plugins_of(const ParamValue& document, std::vector<PlanFault>& faults) {
  std::vector<std::string> plugins;
  const ParamValue* value = find_key(document, "plugins");
  const auto* list = value == nullptr ? nullptr : std::get_if<ParamList>(value);
  if (value != nullptr && list == nullptr) {
    faults.push_back({.where = "/plugins", .found = describe(*value), .expected = "a list", .hint = {}});
  }
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    const auto* path = std::get_if<std::string>(&(*list)[i]);
    if (path == nullptr || path->empty()) {
      faults.push_back({pointer_to("/plugins", i), describe((*list)[i]), "the file of a plugin", {}});
    } else {
      plugins.push_back(*path);
    }
  }
  return plugins;
}

std::string next_unnamed(std::size_t& unnamed) {
  return "Stage_" + std::to_string(++unnamed);
}

Plan plan_of(const ParamValue& document, PlanForm form, TypeCatalog types, std::vector<PlanFault>& faults) {
  return PlanReader(form, types, faults).read(document);
}

}  // namespace pystream::plan
