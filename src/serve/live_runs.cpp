#include "serve/live_runs.hpp"

#include <algorithm>
#include <pystream/error.hpp>
#include <set>

#include "base/clock.hpp"
#include "base/codec.hpp"
#include "coord/control_socket.hpp"

namespace pystream::serve {
namespace {

constexpr std::int64_t kFreshNs = 500'000'000;
constexpr std::int64_t kBetweenNs = 1'000'000'000;  ///< rates are of such a time
constexpr std::int64_t kSilentNs = 10'000'000'000;  ///< so long one that does not answer is left alone
constexpr int kPatienceMs = 500;

}  // namespace

std::shared_ptr<const LiveRuns::Look> LiveRuns::look() {
  const std::lock_guard lock(mutex_);
  const std::int64_t now = base::now_ns();
  if (last_ == nullptr || now - looked_at_ >= kFreshNs) {
    refresh(now);
    looked_at_ = base::now_ns();
  }
  return last_;
}

void LiveRuns::refresh(std::int64_t now) {
  auto look = std::make_shared<Look>();
  std::set<std::int64_t> running;
  std::map<pid_t, std::int64_t> ask_again;
  for (const pid_t pid : coord::running_coordinators()) {
    running.insert(pid);
    if (const auto later = ask_again_.find(pid); later != ask_again_.end() && now < later->second) {
      ask_again[pid] = later->second;
      look->silent.push_back(pid);
      continue;
    }
    const auto answer = coord::ask_coordinator(pid, "figures", kPatienceMs);
    if (!answer) {
      ask_again[pid] = now + kSilentNs;
      look->silent.push_back(pid);
      continue;
    }
    std::deque<Observed>& seen = seen_[pid];
    try {
      seen.push_back(observe(base::decode<coord::LiveStatus>(*answer)));
    } catch (const Error&) {  // of another version
      running.erase(pid);
      continue;
    }
    const std::int64_t time = seen.back().status.time_ns;
    while (seen.size() > 2 && time - seen[1].status.time_ns >= kBetweenNs) {
      seen.pop_front();
    }
    look->pipelines.push_back({.before = seen.size() > 1 ? seen.front() : Observed{}, .now = seen.back()});
  }
  std::erase_if(seen_, [&](const auto& entry) { return !running.contains(entry.first); });
  // One that has just ended did not answer, either.
  if (!look->silent.empty()) {
    const std::vector<pid_t> still = coord::running_coordinators();
    std::erase_if(look->silent, [&](pid_t pid) { return std::ranges::find(still, pid) == still.end(); });
  }
  ask_again_ = std::move(ask_again);
  last_ = std::move(look);
}

}  // namespace pystream::serve
