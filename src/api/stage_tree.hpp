#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <pystream/detail/callable.hpp>
#include <pystream/enums.hpp>
#include <pystream/registry.hpp>
#include <string>
#include <vector>

#include "plan/plan.hpp"

/// What a Pipeline was given by add(): stages and pipelines inside pipelines, before anything runs.
namespace pystream::api {

struct PipelineTree;

/// A stage, or a pipeline in its place.
struct TreeNode {
  std::string name;
  detail::StageParts stage;             ///< of a pipeline just its options.replicas
  std::unique_ptr<PipelineTree> child;  ///< set: a pipeline
};

struct PipelineTree {
  plan::Mode mode = plan::Mode::parallel;
  plan::Join join = plan::Join::zip;  ///< of plan::Mode::branch
  std::optional<TreeNode> source{};   ///< of the outermost pipeline alone; none: the user's process feeds it
  /// Of the outermost pipeline, where there is none the user's process reads the results; else of a branch that joins
  /// nothing.
  std::optional<TreeNode> sink{};
  std::vector<TreeNode> members;
  std::uint32_t unnamed = 0;       ///< members that were given no name
  std::vector<StageType> types{};  ///< of the registered stages; by resolve_registered()

  bool has_end() const { return source || sink; }
};

/// `name`, or the next Stage_n if it is empty. Throws InvalidStageName that says which rule is broken, or that the
/// pipeline has that name already.
std::string checked_name(PipelineTree& tree, std::string name);

/// A stage of the tree with its key. The order of stages() is that of plan::PlacedStage::in_plan.
struct TreeStage {
  std::string key;  ///< profile key
  StageKind kind = StageKind::stage;
  detail::StageParts* parts = nullptr;
};
std::vector<TreeStage> stages(PipelineTree& tree);

/// Fills in what registered stages take and give. Types that this process does not know are looked up with the worker
/// program (`worker_program`: as ParallelOptions). Throws PipelineInitiationError.
void resolve_registered(PipelineTree& tree, const ParallelOptions& options);

/// What a pipeline is fed with and gives, and the key of the stage that takes or gives it; "any" where a source or a
/// sink does that.
struct TreeEnds {
  struct End {
    std::string type = "any";
    std::string who{};
  };
  End input{};
  End output{};
};

/// Throws PipelineInitiationError if there is no stage, a stage gives other items than the next one takes, or replicas
/// or branches are where they cannot be.
TreeEnds check_tree(PipelineTree& tree);

/// The plan of a pipeline. Without a source or sink that end is the user's process.
plan::Plan make_plan(PipelineTree& tree, const ParallelOptions& options, const PipelineOptions& pipeline);

/// Upper limits of the checkpointed state, in the order of stages().
std::vector<std::uint64_t> checkpoint_bytes(PipelineTree& tree);

/// The stage to run: the object given to add() itself, or a new one by the factory given there or of the registered
/// type with the parameters of the plan.
std::unique_ptr<StageAdapter> make_adapter(detail::StageParts& parts, const Params& params);

}  // namespace pystream::api
