#pragma once

#include <string>
#include <vector>

#include "plan/plan.hpp"

namespace pystream::plan {

/// The source, a stage or pipeline of the main pipeline, or the sink.
struct Member {
  const Node* node = nullptr;
  std::string name;  ///< last part of its profile key
  std::string host;
};

/// In the order of the items' way, without ends that are no stages. A member without a host runs where the one before
/// it does, the first on kFirstHost.
std::vector<Member> members_of(const Plan& plan);

/// The hosts of a plan, each once, in the order of the items' way.
std::vector<std::string> hosts_of(const Plan& plan);

}  // namespace pystream::plan
