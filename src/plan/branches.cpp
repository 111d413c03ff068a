#include "plan/branches.hpp"

#include <algorithm>

#include "plan/json.hpp"

namespace pystream::plan {
namespace {

/// Each branch has a link of its own to what joins them, and an entry in the journal, `first` two of them.
constexpr std::size_t kMostBranches = 64;
constexpr std::size_t kMostFirst = 31;

/// More than one item may come out of it for one that goes in, whatever its stages do.
bool gives_several(const Node& node) {
  return node.is_pipeline() &&
         ((node.branches() && node.join == Join::merge) || std::ranges::any_of(node.children, gives_several));
}

/// A stage where a sink belongs, or the other way round. Plan files cannot say that.
std::optional<BranchesFault> sink_fault(const Node& pipeline, bool ends_in_sink) {
  for (const Node& child : pipeline.children) {
    const bool wants_sink = member_ends_in_sink(pipeline, &child == &pipeline.children.back(), ends_in_sink);
    if (child.is_pipeline() || wants_sink == (child.kind == StageKind::sink)) {
      continue;
    }
    if (wants_sink) {
      return BranchesFault{"the stage " + in_quotes(child.name) + " at the end of a branch that joins nothing",
                           "a sink at the end of each branch"};
    }
    return BranchesFault{"a sink, " + in_quotes(child.name) + ", in the midst of the pipeline",
                         "a sink behind all stages, or at the end of a branch that joins nothing"};
  }
  return std::nullopt;
}

}  // namespace

bool is_tap(const Node& pipeline) {
  return pipeline.branches() && pipeline.join == Join::none;
}

bool member_ends_in_sink(const Node& pipeline, bool last, bool ends_in_sink) {
  return is_tap(pipeline) || (last && ends_in_sink);
}

bool holds_sink(const Node& node) {
  return node.is_pipeline() ? std::ranges::any_of(node.children, holds_sink) : node.kind == StageKind::sink;
}

std::optional<BranchesFault> branches_fault(const Node& pipeline, bool ends_in_sink) {
  if (auto fault = sink_fault(pipeline, ends_in_sink)) {
    return fault;
  }
  if (!pipeline.branches()) {
    if (ends_in_sink && pipeline.mode == Mode::serial && !pipeline.children.empty() &&
        pipeline.children.back().is_pipeline() && pipeline.children.back().mode == Mode::parallel) {
      return BranchesFault{"a serial pipeline that ends in a parallel one, as a branch with a sink",
                           "the sink as the last stage of the serial pipeline, or a parallel pipeline around both"};
    }
    return std::nullopt;
  }
  const std::string join = "\"join\": " + in_quotes(to_string(pipeline.join));
  const std::size_t branches = pipeline.children.size();
  const std::size_t most = pipeline.join == Join::first ? kMostFirst : kMostBranches;
  if (branches > most) {
    return BranchesFault{std::to_string(branches) + " branches", "at most " + std::to_string(most) + " with " + join};
  }
  if (ends_in_sink) {
    return BranchesFault{"branches at the end of a branch that joins nothing", "a sink there"};
  }
  if (branches == 1 && !is_tap(pipeline)) {
    return BranchesFault{"one branch", "at least two with " + join};
  }
  if (pipeline.join == Join::zip) {
    const auto several = std::ranges::find_if(pipeline.children, gives_several);
    if (several != pipeline.children.end()) {
      return BranchesFault{"\"join\": \"merge\" in the branch " + in_quotes(several->name),
                           "one answer of each branch to an item, as " + join + " makes one item of them"};
    }
  }
  return std::nullopt;
}

}  // namespace pystream::plan
