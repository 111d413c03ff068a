#include "api/stage_tree.hpp"

#include <algorithm>
#include <exception>
#include <pystream/error.hpp>
#include <pystream/registry.hpp>
#include <pystream/status.hpp>

#include "coord/inspect.hpp"
#include "plan/param_check.hpp"
#include "plan/plan_reader.hpp"
#include "plan/replicas.hpp"
#include "plan/topology.hpp"
#include "worker/plugins.hpp"

namespace pystream::api {
namespace {

static_assert(main_pipeline_name == plan::kMainPipeline && separator == plan::kSeparator);

constexpr std::string_view kAny = "any";

std::string key_of(const TreeNode& node, const std::string& pipeline) {
  return std::string(pipeline).append(plan::kSeparator).append(node.name);
}

void collect(PipelineTree& tree, const std::string& key, std::vector<PlacedStage>& out) {
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
  if (member.child) {
    node.mode = member.child->mode;
    node.children = nodes_of(*member.child);
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
  return tree.members.empty() || std::any_of(tree.members.begin(), tree.members.end(), [](const TreeNode& member) {
           return member.child && has_empty_pipeline(*member.child);
         });
}

/// Throws PipelineInitiationError if `after`, which gets what `before` gives, takes other items.
void check_types(const PlacedStage& before, const PlacedStage& after) {
  const std::string& given = before.parts->output;
  const std::string& taken = after.parts->input;
  if (given != taken && given != kAny && taken != kAny) {
    throw PipelineInitiationError("stage " + before.key + " gives items of type " + given + ", but stage " + after.key +
                                  " takes " + taken + "; change one of them, or add a stage between that converts");
  }
}

void check_replicas(const plan::Node& pipeline, const std::string& key) {
  for (const plan::Node& child : pipeline.children) {
    const std::string child_key = std::string(key).append(plan::kSeparator).append(child.name);
    if (const auto fault = plan::replicas_fault(child, pipeline.mode)) {
      throw PipelineInitiationError("stage " + child_key + ": found " + std::to_string(child.replicas) +
                                    " replicas, expected " + *fault);
    }
    check_replicas(child, child_key);
  }
}

/// Throws PipelineInitiationError where replicas cannot be.
void check_replicas(const plan::Plan& plan) {
  for (const plan::Node* end : {&plan.source, &plan.sink}) {
    if (end->replicas != 1) {
      throw PipelineInitiationError("stage " + end->name + ": found " + std::to_string(end->replicas) +
                                    " replicas, expected 1: a pipeline has one source and one sink");
    }
  }
  check_replicas(plan.root, std::string(plan::kMainPipeline));
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
        worker::load_plugin(worker::find_plugin(plugin));
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
    worker::load_plugin(worker::find_plugin(worker::kCorePlugin));
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
      refuse_param(key, name, "is none of type \"" + type.name + "\"");
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

const StageType& resolve(const PlacedStage& stage, TypeLookup& lookup) {
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
  parts.input = type->info.input.empty() ? kAny : type->info.input;
  parts.output = type->info.output.empty() ? kAny : type->info.output;
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

std::vector<PlacedStage> stages(PipelineTree& tree) {
  std::vector<PlacedStage> all;
  collect(tree, std::string(plan::kMainPipeline), all);
  return all;
}

void resolve_registered(PipelineTree& tree, const ParallelOptions& options) {
  tree.types.clear();
  try {
    TypeLookup lookup(options);
    for (const PlacedStage& stage : stages(tree)) {
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

void check_tree(PipelineTree& tree) {
  if (has_empty_pipeline(tree)) {
    throw PipelineInitiationError("the pipeline, or one inside it, has no stages; add() at least one");
  }
  const std::vector<PlacedStage> all = stages(tree);
  const plan::Plan plan = make_plan(tree, {}, {});
  check_replicas(plan);
  const plan::Topology topology = plan::make_topology(plan);
  for (plan::HostedId id = 0; id < topology.hosted.size(); ++id) {
    for (const plan::HostedId upstream : topology.upstream(id)) {
      check_types(all[topology.hosted[upstream].in_plan], all[topology.hosted[id].in_plan]);
    }
  }
}

namespace {

/// Tells a registered sink what its items are (see plan::tell_sink_its_items()). Of a plan's stages their types say
/// that; a callable or object says it by what it gives.
void tell_sink_its_items(plan::Plan& plan, PipelineTree& tree) {
  constexpr const char* kParam = "item_type";
  Params& params = plan.sink.stage->params;
  if (!params.has(kParam) || !params.string(kParam).empty()) {
    return;
  }
  const std::vector<PlacedStage> all = stages(tree);
  const auto says = [](const PlacedStage& stage) {
    return stage.kind != StageKind::sink && stage.parts->output != kAny;
  };
  const auto last = std::find_if(all.rbegin(), all.rend(), says);
  if (last != all.rend() && last->parts->registered.type.empty()) {
    params.set(kParam, last->parts->output);
  } else {
    plan::tell_sink_its_items(plan, tree.types);
  }
}

}  // namespace

plan::Plan make_plan(PipelineTree& tree, const ParallelOptions& options, const PipelineOptions& pipeline) {
  plan::Plan plan;
  plan.root.name = plan::kMainPipeline;
  plan.root.mode = tree.mode;
  plan.root.children = nodes_of(tree);
  plan.entry = tree.source ? plan::EndKind::hosted : plan::EndKind::external;
  plan.exit = tree.sink ? plan::EndKind::hosted : plan::EndKind::external;
  if (tree.source) {
    plan.source = end_of(*tree.source, plan::usual_source_faults());
  }
  if (tree.sink) {
    plan.sink = end_of(*tree.sink, {});
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
  if (tree.sink) {
    tell_sink_its_items(plan, tree);
  }
  return plan;
}

std::vector<std::uint64_t> checkpoint_bytes(PipelineTree& tree) {
  std::vector<std::uint64_t> all;
  for (const PlacedStage& stage : stages(tree)) {
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
  const StageType* type = find_stage_type(parts.registered.type);
  if (type == nullptr || !type->make) {
    throw Error("no stage type \"" + parts.registered.type + "\" is registered in this process");
  }
  return type->make(params);
}

}  // namespace pystream::api
