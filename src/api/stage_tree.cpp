#include "api/stage_tree.hpp"

#include <algorithm>
#include <exception>
#include <pystream/error.hpp>
#include <pystream/registry.hpp>
#include <pystream/status.hpp>

#include "coord/inspect.hpp"
#include "plan/param_check.hpp"
#include "worker/plugins.hpp"

namespace pystream::api {
namespace {

static_assert(main_pipeline_name == plan::kMainPipeline && separator == plan::kSeparator);

constexpr std::string_view kAny = "any";

void collect(PipelineTree& tree, const std::string& key, std::vector<PlacedStage>& out) {
  for (TreeNode& member : tree.members) {
    const std::string member_key = std::string(key).append(plan::kSeparator).append(member.name);
    if (member.child) {
      collect(*member.child, member_key, out);
    } else {
      out.push_back({.key = member_key, .parts = &member.stage});
    }
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

plan::StageSpec spec_of(const detail::StageParts& parts) {
  const StageOptions& options = parts.options;
  plan::StageSpec spec;
  spec.type = parts.registered.type;
  spec.params = parts.registered.params;
  spec.faults = {.on_crash = options.on_crash,
                 .on_error = options.on_error,
                 .max_attempts = options.max_attempts,
                 .timeout = options.timeout,
                 .start_timeout = options.start_timeout};
  return spec;
}

plan::Node node_of(const TreeNode& member) {
  plan::Node node;
  node.name = member.name;
  if (member.child) {
    node.mode = member.child->mode;
    node.children = nodes_of(*member.child);
  } else {
    node.stage = spec_of(member.stage);
  }
  return node;
}

bool has_empty_pipeline(const PipelineTree& tree) {
  return tree.members.empty() || std::any_of(tree.members.begin(), tree.members.end(), [](const TreeNode& member) {
           return member.child && has_empty_pipeline(*member.child);
         });
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

void resolve(const std::string& key, detail::StageParts& parts, TypeLookup& lookup) {
  const StageType* type = lookup.find(parts.registered.type);
  if (type == nullptr) {
    throw PipelineInitiationError("stage " + key + ": no stage type \"" + parts.registered.type +
                                  "\" is registered; link it into the program, or name its plugin in the options");
  }
  if (type->kind != StageKind::stage) {
    throw PipelineInitiationError("stage " + key + ": type \"" + parts.registered.type +
                                  "\" is a source or sink; a Pipeline is fed by forward() and read by get_results()");
  }
  parts.registered.params = checked_params(key, parts.registered.params, *type);
  parts.input = type->info.input.empty() ? kAny : type->info.input;
  parts.output = type->info.output.empty() ? kAny : type->info.output;
}

}  // namespace

std::string checked_name(PipelineTree& tree, std::string name) {
  if (name.empty()) {
    return "Stage_" + std::to_string(++tree.unnamed);
  }
  if (const auto fault = plan::stage_name_fault(name)) {
    throw InvalidStageName("\"" + name + "\": " + *fault);
  }
  return name;
}

std::vector<PlacedStage> stages(PipelineTree& tree) {
  std::vector<PlacedStage> all;
  collect(tree, std::string(plan::kMainPipeline), all);
  return all;
}

void resolve_registered(PipelineTree& tree, const ParallelOptions& options) {
  try {
    TypeLookup lookup(options);
    for (const PlacedStage& stage : stages(tree)) {
      if (!stage.parts->registered.type.empty()) {
        resolve(stage.key, *stage.parts, lookup);
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
  for (std::size_t i = 1; i < all.size(); ++i) {
    const std::string& given = all[i - 1].parts->output;
    const std::string& taken = all[i].parts->input;
    if (given != taken && given != kAny && taken != kAny) {
      throw PipelineInitiationError("stage " + all[i - 1].key + " gives items of type " + given + ", but stage " +
                                    all[i].key + " takes " + taken +
                                    "; change one of them, or add a stage between that converts");
    }
  }
}

plan::Plan make_plan(const PipelineTree& tree, const ParallelOptions& options, const PipelineOptions& pipeline) {
  plan::Plan plan;
  plan.root.name = plan::kMainPipeline;
  plan.root.mode = tree.mode;
  plan.root.children = nodes_of(tree);
  plan.entry = plan::EndKind::external;
  plan.exit = plan::EndKind::external;
  plan.plugins = options.plugins;
  plan.links = {.items = options.capacity.items, .bytes = options.capacity.bytes, .overflow = options.overflow};
  plan.restarts = {.max_restarts = options.restarts.max_restarts,
                   .window = options.restarts.window,
                   .backoff_first = options.restarts.backoff_first,
                   .backoff_limit = options.restarts.backoff_limit};
  plan.profiler.enabled = pipeline.use_profiler;
  plan.profiler.folder = pipeline.profiler_db_folder;
  return plan;
}

std::vector<std::uint64_t> checkpoint_bytes(PipelineTree& tree) {
  std::vector<std::uint64_t> all;
  for (const PlacedStage& stage : stages(tree)) {
    std::uint64_t bytes = 0;
    if (stage.parts->hosted) {
      CheckpointBase* checkpoint = stage.parts->hosted->checkpoint();
      bytes = checkpoint != nullptr ? checkpoint->state_limit() : 0;
    } else if (const StageType* type = find_stage_type(stage.parts->registered.type)) {
      bytes = type->checkpoint_bytes;
    }
    all.push_back(bytes);
  }
  return all;
}

std::unique_ptr<Hosted> make_hosted(detail::StageParts& parts) {
  if (parts.hosted) {
    return std::move(parts.hosted);
  }
  const StageType* type = find_stage_type(parts.registered.type);
  if (type == nullptr || !type->make) {
    throw Error("no stage type \"" + parts.registered.type + "\" is registered in this process");
  }
  return type->make(parts.registered.params);
}

}  // namespace pystream::api
