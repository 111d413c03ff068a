#pragma once

#include <optional>
#include <string>

#include "plan/plan.hpp"

/// What keeps a pipeline from being one of branches, for plans and for the C++ API.
namespace pystream::plan {

/// What is wrong, as a message has it.
struct BranchesFault {
  std::string found;
  std::string expected;
};

/// Of `pipeline` itself, not of what it holds. `ends_in_sink`: it is a branch that joins nothing, or the last in one.
std::optional<BranchesFault> branches_fault(const Node& pipeline, bool ends_in_sink);

/// Its branches join nothing: each of them ends in a sink.
bool is_tap(const Node& pipeline);

/// Whether a member of `pipeline`, the last one or not, is a sink or ends in one. `ends_in_sink`: the pipeline does.
bool member_ends_in_sink(const Node& pipeline, bool last, bool ends_in_sink);

/// There is a sink in it: one of its branches joins nothing.
bool holds_sink(const Node& node);

}  // namespace pystream::plan
