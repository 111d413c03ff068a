#include "coord/stack_requests.hpp"

namespace pystream::coord {
namespace {

using namespace std::chrono_literals;

constexpr Time kPatience = 1s;
constexpr Time kPeriod = 2ms;

}  // namespace

void StackRequests::add(plan::WorkerId id, std::uint32_t answers, Time now) {
  waiting_[id] = {.answers = answers, .until = now + kPatience};
}

std::vector<plan::WorkerId> StackRequests::due(const std::function<std::uint32_t(plan::WorkerId)>& answers_of,
                                               Time now) {
  std::vector<plan::WorkerId> all;
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    const bool due = answers_of(at->first) != at->second.answers || now >= at->second.until;
    if (due) {
      all.push_back(at->first);
    }
    at = due ? waiting_.erase(at) : std::next(at);
  }
  return all;
}

std::optional<Time> StackRequests::next_look(Time now) const {
  return waiting_.empty() ? std::nullopt : std::optional(now + kPeriod);
}

}  // namespace pystream::coord
