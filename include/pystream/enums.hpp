#pragma once

#include <string_view>

/// What options, plans, shared memory and messages name alike. A name is that of the enumerator.
namespace pystream {

/// What a registered stage type is.
enum class StageKind {
  source,  ///< gives items and takes none
  stage,   ///< takes items and gives any number of them
  sink,    ///< takes items and gives none
};
/// "source", "stage" or "sink".
std::string_view to_string(StageKind kind);

/// What a full link does with one more item. Dropped items are counted: PipelineStatus, LinkStatus::dropped.
enum class Overflow {
  block,        ///< the producer waits; nothing is ever dropped
  drop_newest,  ///< the item is not written
  drop_oldest,  ///< the oldest item that the consumer has not begun is evicted
};
/// The word that plans use: "block", "drop_newest" or "drop_oldest".
std::string_view to_string(Overflow overflow);

/// What follows when a stage's worker dies with an item in work. The worker is started again in every case but the
/// last.
enum class OnCrash {
  replay,  ///< the item is tried again; after `max_attempts` deaths it becomes a dead letter
  skip,    ///< the item is given up at the first death
  fail,    ///< the pipeline ends: PipelineTerminated with stage, signal and item
};
/// The word that plans use: "replay", "skip" or "fail".
std::string_view to_string(OnCrash on_crash);

/// What follows when a stage throws. Its worker is not restarted for it.
enum class OnError {
  dead_letter,  ///< the item is kept in the profile database; where none can be made, it is as `fail`
  skip,         ///< the item is given up and counted (StageStatus::errors)
  retry,        ///< the item is tried again, up to `max_attempts` times; then as dead_letter
  fail,         ///< the pipeline ends: PipelineTerminated with stage, item and message
};
/// The word that plans use: "dead_letter", "skip", "retry" or "fail".
std::string_view to_string(OnError on_error);

/// What becomes of the answers of a pipeline's branches, each of which gets every item.
enum class Join {
  zip,    ///< one item of all answers, std::tuple<A, B, …> in the order of the branches; none if a branch gave none
  merge,  ///< all answers to an item, in the order of the branches
  first,  ///< the answer of the branch that is the first to give one; the branches do the same work
  none,   ///< no answers: each branch ends in a sink of its own, and the items go on unchanged
};
/// The word that plans use: "zip", "merge", "first" or "none".
std::string_view to_string(Join join);

/// For which of several replicas an item is; see Share.
enum class ShareBy {
  turn,          ///< one after another
  least_loaded,  ///< the one that has the fewest items to do
  key,           ///< all items of one key for the same one
};
/// The word that plans use: "turn", "least_loaded" or "key".
std::string_view to_string(ShareBy share);

}  // namespace pystream
