#include "plan/hosts.hpp"

#include <algorithm>
#include <string_view>

namespace pystream::plan {

std::vector<Member> members_of(const Plan& plan) {
  std::vector<Member> members;
  std::string host = kFirstHost;
  const auto add = [&](const Node& node, std::string_view unnamed) {
    host = node.host.empty() ? host : node.host;
    members.push_back({.node = &node, .name = node.name.empty() ? std::string(unnamed) : node.name, .host = host});
  };
  if (plan.entry == EndKind::stage) {
    add(plan.source, kSource);
  }
  for (const Node& child : plan.root.children) {
    add(child, "");
  }
  if (plan.exit == EndKind::stage) {
    add(plan.sink, kSink);
  }
  return members;
}

std::vector<std::string> hosts_of(const Plan& plan) {
  std::vector<std::string> hosts;
  for (const Member& member : members_of(plan)) {
    if (std::ranges::find(hosts, member.host) == hosts.end()) {
      hosts.push_back(member.host);
    }
  }
  return hosts;
}

}  // namespace pystream::plan
