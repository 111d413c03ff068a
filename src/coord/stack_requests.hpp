#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "coord/supervisor.hpp"

namespace pystream::coord {

/// Workers that hang and are to be killed, but are first asked how their stack stands. One that does not answer within
/// a second is killed anyway. Has no clock of its own and sends no signal.
class StackRequests {
 public:
  /// `answers`: how often the worker has answered before (WorkerPage::stack_answers).
  void add(plan::WorkerId id, std::uint32_t answers, Time now);
  /// The worker has ended.
  void remove(plan::WorkerId id) { waiting_.erase(id); }
  /// Those whose time to be killed has come; they are removed. `answers_of(id)`: as it is now.
  std::vector<plan::WorkerId> due(const std::function<std::uint32_t(plan::WorkerId)>& answers_of, Time now);
  /// When to check again; nullopt: no worker was asked.
  std::optional<Time> next_look(Time now) const;

 private:
  struct Request {
    std::uint32_t answers = 0;
    Time until{};
  };
  std::map<plan::WorkerId, Request> waiting_;
};

}  // namespace pystream::coord
