#include "api/stage_tree.hpp"

#include <algorithm>
#include <exception>
#include <pystream/error.hpp>
#include <pystream/registry.hpp>
#include <pystream/status.hpp>

#include "coord/inspect.hpp"
#include "plan/branches.hpp"
#include "plan/item_types.hpp"
#include "plan/param_check.hpp"
#include "plan/plan_reader.hpp"
#include "plan/replicas.hpp"
#include "plan/topology.hpp"
#include "setup/plugins.hpp"

namespace pystream::api {
namespace {

static_assert(main_pipeline_name == plan::kMainPipeline && separator == plan::kSeparator);

using plan::kAnyItem;

std::string key_of(const TreeNode& node, const std::string& pipeline) {
  return std::string(pipeline).append(plan::kSeparator).append(node.name);
}

void collect(PipelineTree& tree, const std::string& key, std::vector<TreeStage>& out) {
  const auto add = [&](TreeNode& node, StageKind kind) {
    out.push_back({.key = key_of(node, key), .kind = kind, .parts = &node.stage});
  };
  if (tree.source) {
    add(*tree.source, StageKind::source);
  }
  for (TreeNode& member : tree.members) {
    if (member.child) {
      collect(*member.child, key_of(member, key), out);
    } else {
      add(member, StageKind::stage);
    }
  }
  if (tree.sink) {
    add(*tree.sink, StageKind::sink);
  }
}

plan::Node node_of(const TreeNode& member);

std::vector<plan::Node> nodes_of(const PipelineTree& tree) {
  std::vector<plan::Node> nodes;
  for (const TreeNode& member : tree.members) {
    nodes.push_back(node_of(member));
  }
  return nodes;
}

/// Of a pipeline inside another one: its sink is its last member.
std::vector<plan::Node> nodes_with_sink(const PipelineTree& tree) {
  std::vector<plan::Node> nodes = nodes_of(tree);
  if (tree.sink) {
    nodes.push_back(node_of(*tree.sink));
    nodes.back().kind = StageKind::sink;
  }
  return nodes;
}

plan::SharePolicy share_of(const Share& share) {
  return {.by = share.by(), .key = {}, .call = share.call()};
}

plan::StageSpec spec_of(const detail::StageParts& parts, const plan::FaultPolicy& usual) {
  const StageOptions& options = parts.options;
  plan::StageSpec spec;
  spec.type = parts.registered.type;
  spec.params = parts.registered.params;
  spec.faults = {.on_crash = options.on_crash,
                 .on_error = options.on_error.value_or(usual.on_error),
                 .max_attempts = options.max_attempts,
                 .timeout = options.timeout,
                 .start_timeout = options.start_timeout};
  return spec;
}

plan::Node node_of(const TreeNode& member) {
  plan::Node node;
  node.name = member.name;
  node.replicas = member.stage.options.replicas;
  node.share = share_of(member.stage.options.share);
  if (member.child) {
    node.mode = member.child->mode;
    node.join = member.child->join;
    node.children = nodes_with_sink(*member.child);
  } else {
    node.stage = spec_of(member.stage, {});
  }
  return node;
}

plan::Node end_of(const TreeNode& end, const plan::FaultPolicy& usual) {
  plan::Node node;
  node.name = end.name;
  node.replicas = end.stage.options.replicas;
  node.stage = spec_of(end.stage, usual);
  return node;
}

bool has_empty_pipeline(const PipelineTree& tree) {
  return (tree.members.empty() && !tree.sink) ||
         std::any_of(tree.members.begin(), tree.members.end(),
                     [](const TreeNode& member) { return member.child && has_empty_pipeline(*member.child); });
}

plan::StageGives gives_of(const std::vector<TreeStage>& all, const plan::Topology& topology) {
  return [&](plan::StageId id) { return all[topology.stages[id].in_plan].parts->output; };
}

/// Of branches at the entrance. Throws PipelineInitiationError if they take items of different types.
void check_entrance(const std::vector<TreeStage>& all, const plan::Topology& topology) {
  const TreeStage* known = nullptr;
  for (const plan::StageId id : topology.first_stages()) {
    const TreeStage& stage = all[topology.stages[id].in_plan];
    if (stage.parts->input == kAnyItem) {
      continue;
    }
    if (known != nullptr && known->parts->input != stage.parts->input) {
      throw PipelineInitiationError("stage " + known->key + " takes items of type " + known->parts->input +
                                    ", but stage " + stage.key + ", which gets the same items, takes " +
                                    stage.parts->input + "; change one of them");
    }
    known = &stage;
  }
}

/// Throws PipelineInitiationError if branches that are joined to one stream give items of different types.
void check_agreement(const std::vector<plan::GivenItems>& items) {
  if (const auto differ = plan::differing_items(items)) {
    throw PipelineInitiationError("stage " + differ->first.who + " gives items of type " + differ->first.type +
                                  ", and stage " + differ->second.who + " gives " + differ->second.type +
                                  "; branches that are merged must give items of one type");
  }
}

/// Throws PipelineInitiationError if a stage takes other items than it gets.
void check_types(const PipelineTree& tree, const std::vector<TreeStage>& all, const plan::Topology& topology) {
  if (!tree.source) {
    check_entrance(all, topology);
  }
  for (plan::StageId id = 0; id < topology.stages.size(); ++id) {
    const TreeStage& here = all[topology.stages[id].in_plan];
    const std::string& taken = here.parts->input;
    const std::vector<plan::GivenItems> items = plan::items_to(topology, id, gives_of(all, topology));
    check_agreement(items);
    for (const plan::GivenItems& given : items) {
      if (!plan::fits(given, taken)) {
        throw PipelineInitiationError("stage " + given.who + " gives items of type " + given.type + ", but stage " +
                                      here.key + " takes " + taken +
                                      "; change one of them, or add a stage between that converts");
      }
    }
  }
}

/// Throws PipelineInitiationError if keys are those of other items than the replicas get.
void check_keys(const std::vector<TreeStage>& all, const plan::Topology& topology) {
  for (const plan::LinkSpec& link : topology.links) {
    if (!link.deals() || !link.shared_by->share.call || link.shared_by->share.call->input == kAnyItem) {
      continue;
    }
    const std::string& wanted = link.shared_by->share.call->input;
    const plan::Segment& replica = topology.segment(link.consumers.front());
    std::vector<plan::GivenItems> items = plan::items_into(topology, replica, gives_of(all, topology));
    if (items.empty() && !replica.stages.empty()) {  // the user's process gives what the replicas take
      const TreeStage& first = all[topology.stages[replica.stages.front()].in_plan];
      items.push_back({.type = first.parts->input, .who = first.key});
    }
    for (const plan::GivenItems& given : items) {
      if (given.type != kAnyItem && given.type != wanted) {
        throw PipelineInitiationError("the replicas of " + link.shared_by->name + " share items of type " + wanted +
                                      " by their key, but those of stage " + given.who + " are of type " + given.type +
                                      "; change one of them");
      }
    }
  }
}

/// Throws PipelineInitiationError where replicas or branches cannot be. `ends_in_sink`: see plan::branches_fault().
void check_members(const plan::Node& pipeline, const std::string& key, bool ends_in_sink) {
  if (const auto fault = plan::branches_fault(pipeline, ends_in_sink)) {
    throw PipelineInitiationError("pipeline " + key + ": found " + fault->found + ", expected " + fault->expected);
  }
  for (const plan::Node& child : pipeline.children) {
    const std::string child_key = std::string(key).append(plan::kSeparator).append(child.name);
    if (const auto fault = plan::replicas_fault(child, pipeline.mode)) {
      throw PipelineInitiationError("stage " + child_key + ": found " + std::to_string(child.replicas) +
                                    " replicas, expected " + *fault);
    }
    if (child.is_pipeline()) {
      const bool last = &child == &pipeline.children.back();
      check_members(child, child_key, plan::member_ends_in_sink(pipeline, last, ends_in_sink));
    }
  }
}

void check_members(const plan::Plan& plan) {
  for (const plan::Node* end : {&plan.source, &plan.sink}) {
    if (end->replicas != 1) {
      throw PipelineInitiationError("stage " + end->name + ": found " + std::to_string(end->replicas) +
                                    " replicas, expected 1: a pipeline has one source and one sink");
    }
  }
  check_members(plan.root, std::string(plan::kMainPipeline), false);
  if (plan::count_replicas(plan.root) > plan::kMaxStages) {
    throw PipelineInitiationError("the pipeline has more than " + std::to_string(plan::kMaxStages) +
                                  " stages, each replica counted; use fewer replicas");
  }
}

const StageType* find_in(const std::vector<StageType>& types, const std::string& name) {
  const auto found = std::find_if(types.begin(), types.end(), [&](const StageType& type) { return type.name == name; });
  return found != types.end() ? &*found : nullptr;
}

/// Stage types by what this process knows, else by what the worker program says.
class TypeLookup {
 public:
  explicit TypeLookup(const ParallelOptions& options) : options_(options) {
    if (options.start_method == StartMethod::fork) {
      for (const std::string& plugin : options.plugins) {
        setup::load_plugin(setup::find_plugin(plugin));
      }
    }
  }

  const StageType* find(const std::string& name) {
    if (const StageType* type = find_stage_type(name)) {
      return type;
    }
    if (options_.start_method == StartMethod::spawn) {
      return find_in(described(), name);
    }
    setup::load_plugin(setup::find_plugin(setup::kCorePlugin));
    return find_stage_type(name);
  }

 private:
  const std::vector<StageType>& described() {
    if (!asked_) {
      described_ = coord::inspect_plugins(coord::find_worker_program(options_.worker_program), options_.plugins);
      asked_ = true;
    }
    return described_;
  }

  const ParallelOptions& options_;
  std::vector<StageType> described_;
  bool asked_ = false;
};

[[noreturn]] void refuse_param(const std::string& key, const std::string& name, const std::string& why) {
  throw PipelineInitiationError("stage " + key + ": parameter \"" + name + "\" " + why);
}

/// As in a plan: checked against their description, sizes as bytes, durations as nanoseconds, defaults filled in.
Params checked_params(const std::string& key, const Params& given, const StageType& type) {
  Params params;
  for (const auto& [name, value] : given.values()) {
    const ParamSpec* spec = plan::find_spec(type.info.params, name);
    if (spec == nullptr) {
      refuse_param(key, name, "is no parameter of type \"" + type.name + "\"");
    }
    const auto fitted = plan::fit_param(value, *spec, plan::DurationForm::text_or_nanoseconds);
    if (!fitted) {
      refuse_param(key, name, "must be " + plan::accepted_by(*spec));
    }
    params.set(name, *fitted);
  }
  for (const ParamSpec& spec : type.info.params) {
    if (params.has(spec.name)) {
      continue;
    }
    if (!spec.fallback) {
      refuse_param(key, spec.name, "is missing; it is " + plan::accepted_by(spec));
    }
    if (!std::holds_alternative<std::monostate>(*spec.fallback)) {
      const auto fitted = plan::fit_param(*spec.fallback, spec, plan::DurationForm::text_or_nanoseconds);
      params.set(spec.name, fitted.value_or(*spec.fallback));
    }
  }
  return params;
}

const StageType& resolve(const TreeStage& stage, TypeLookup& lookup) {
  const auto& [key, kind, placed] = stage;
  detail::StageParts& parts = *placed;
  const StageType* type = lookup.find(parts.registered.type);
  if (type == nullptr) {
    throw PipelineInitiationError("stage " + key + ": no stage type \"" + parts.registered.type +
                                  "\" is registered; link it into the program, or name its plugin in the options");
  }
  if (type->kind != kind) {
    throw PipelineInitiationError("stage " + key + ": type \"" + parts.registered.type + "\" is a " +
                                  std::string(to_string(type->kind)) + " and stands where a " +
                                  std::string(to_string(kind)) + " belongs; source(), add() and sink() take one each");
  }
  parts.registered.params = checked_params(key, parts.registered.params, *type);
  parts.input = type->info.input.empty() ? kAnyItem : type->info.input;
  parts.output = type->info.output.empty() ? kAnyItem : type->info.output;
  return *type;
}

}  // namespace

std::string checked_name(PipelineTree& tree, std::string name) {
  if (name.empty()) {
    name = "Stage_" + std::to_string(++tree.unnamed);
  } else if (const auto fault = plan::stage_name_fault(name)) {
    throw InvalidStageName("\"" + name + "\": " + *fault);
  }
  const auto same = [&](const TreeNode& other) { return other.name == name; };
  if (std::ranges::any_of(tree.members, same) || (tree.source && same(*tree.source)) ||
      (tree.sink && same(*tree.sink))) {
    throw InvalidStageName("\"" + name +
                           "\": another stage of this pipeline has that name; names are unique within a pipeline");
  }
  return name;
}

std::vector<TreeStage> stages(PipelineTree& tree) {
  std::vector<TreeStage> all;
  collect(tree, std::string(plan::kMainPipeline), all);
  return all;
}

namespace {

/// Throws PipelineInitiationError if a callable tells the keys of items.
void refuse_key_calls(const PipelineTree& tree, const std::string& key) {
  for (const TreeNode& member : tree.members) {
    const std::string member_key = std::string(key).append(plan::kSeparator).append(member.name);
    if (member.stage.options.share.call()) {
      throw PipelineInitiationError("the replicas of " + member_key +
                                    " share items by a callable of this process, which StartMethod::spawn cannot send "
                                    "to a worker program; use StartMethod::fork, or share them in another way");
    }
    if (member.child) {
      refuse_key_calls(*member.child, member_key);
    }
  }
}

}  // namespace

void resolve_registered(PipelineTree& tree, const ParallelOptions& options) {
  tree.types.clear();
  if (options.start_method == StartMethod::spawn) {
    refuse_key_calls(tree, std::string(plan::kMainPipeline));
  }
  try {
    TypeLookup lookup(options);
    for (const TreeStage& stage : stages(tree)) {
      if (!stage.parts->registered.type.empty()) {
        tree.types.push_back(resolve(stage, lookup));
      } else if (options.start_method == StartMethod::spawn) {
        throw PipelineInitiationError("stage " + stage.key +
                                      " is a callable or an object of this process, which StartMethod::spawn cannot "
                                      "send to a worker program; add a RegisteredStage, or use StartMethod::fork");
      }
    }
  } catch (const PipelineInitiationError&) {
    throw;
  } catch (const std::exception& error) {
    throw PipelineInitiationError(error.what());
  }
}

TreeEnds check_tree(PipelineTree& tree) {
  if (has_empty_pipeline(tree)) {
    throw PipelineInitiationError("the pipeline, or one inside it, has no stages; add() at least one");
  }
  const plan::Plan plan = make_plan(tree, {}, {});
  check_members(plan);
  const plan::Topology topology = plan::make_topology(plan);
  const std::vector<TreeStage> all = stages(tree);
  check_types(tree, all, topology);
  check_keys(all, topology);
  TreeEnds ends;
  if (!tree.source) {
    for (const plan::StageId id : topology.first_stages()) {
      const TreeStage& stage = all[topology.stages[id].in_plan];
      if (ends.input.who.empty() || ends.input.type == kAnyItem) {
        ends.input = {.type = stage.parts->input, .who = stage.key};
      }
    }
  }
  if (!tree.sink) {
    const plan::Segment& last = topology.result_segment();
    const auto gives = gives_of(all, topology);
    const std::vector<plan::GivenItems> given =
        last.stages.empty() ? plan::items_into(topology, last, gives)
                            : std::vector<plan::GivenItems>{
                                  {.type = gives(last.stages.back()), .who = topology.stages[last.stages.back()].key}};
    check_agreement(given);
    if (!given.empty()) {
      ends.output = {.type = given.front().type, .who = given.front().who};
    }
  }
  return ends;
}

namespace {

/// Tells registered sinks what their items are. Of a plan's stages their types say that; a callable or object says it
/// by what it gives.
void tell_sinks_their_items(plan::Plan& plan, PipelineTree& tree) {
  const std::vector<TreeStage> all = stages(tree);
  plan::tell_sinks_their_items(plan, tree.types, [&](const plan::PlacedStage& placed) -> std::string {
    const detail::StageParts& parts = *all[placed.in_plan].parts;
    return parts.registered.type.empty() && parts.output != kAnyItem ? parts.output : std::string();
  });
}

}  // namespace

plan::Plan make_plan(PipelineTree& tree, const ParallelOptions& options, const PipelineOptions& pipeline) {
  plan::Plan plan;
  plan.root.name = plan::kMainPipeline;
  plan.root.mode = tree.mode;
  plan.root.join = tree.join;
  plan.root.children = nodes_of(tree);
  plan.entry = tree.source ? plan::EndKind::stage : plan::EndKind::external;
  plan.exit = tree.sink ? plan::EndKind::stage : plan::EndKind::external;
  if (tree.source) {
    plan.source = end_of(*tree.source, plan::usual_source_faults());
    plan.source.kind = StageKind::source;
  }
  if (tree.sink) {
    plan.sink = end_of(*tree.sink, {});
    plan.sink.kind = StageKind::sink;
  }
  plan.plugins = options.plugins;
  plan.links = {.items = options.capacity.items,
                .bytes = options.capacity.bytes,
                .time = options.capacity.time,
                .overflow = options.overflow};
  plan.restarts = {.max_restarts = options.restarts.max_restarts,
                   .window = options.restarts.window,
                   .backoff_first = options.restarts.backoff_first,
                   .backoff_limit = options.restarts.backoff_limit};
  plan.profiler.enabled = pipeline.use_profiler;
  plan.profiler.folder = pipeline.profiler_db_folder;
  tell_sinks_their_items(plan, tree);
  return plan;
}

std::vector<std::uint64_t> checkpoint_bytes(PipelineTree& tree) {
  std::vector<std::uint64_t> all;
  for (const TreeStage& stage : stages(tree)) {
    std::uint64_t bytes = 0;
    if (stage.parts->adapter) {
      CheckpointBase* checkpoint = stage.parts->adapter->checkpoint();
      bytes = checkpoint != nullptr ? checkpoint->state_limit() : 0;
    } else if (const StageType* type = find_stage_type(stage.parts->registered.type)) {
      bytes = type->checkpoint_bytes;
    }
    all.push_back(bytes);
  }
  return all;
}

std::unique_ptr<StageAdapter> make_adapter(detail::StageParts& parts, const Params& params) {
  if (parts.adapter) {
    return std::move(parts.adapter);
  }
  if (parts.factory) {
    return parts.factory();
  }
  const StageType* type = find_stage_type(parts.registered.type);
  if (type == nullptr || !type->make) {
    throw Error("no stage type \"" + parts.registered.type + "\" is registered in this process");
  }
  return type->make(params);
}

}  // namespace pystream::api
