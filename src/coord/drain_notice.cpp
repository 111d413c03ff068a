#include "coord/drain_notice.hpp"

#include <algorithm>
#include <cstdint>

#include "base/number_text.hpp"

namespace pystream::coord {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds kFirst = 1s;
constexpr std::chrono::nanoseconds kLongest = 30s;

/// The workers that have not ended, for a pipeline without an item between its workers.
std::string still_running(const LiveStatus& status) {
  std::string names;
  for (const LiveWorker& worker : status.workers) {
    if (worker.pid > 0) {
      names += (names.empty() ? "" : ", ") + worker.name + " (" + worker.phase + ")";
    }
  }
  return names;
}

}  // namespace

void DrainNotice::begin(std::chrono::nanoseconds now) {
  if (!next_) {
    period_ = kFirst;
    next_ = now + period_;
  }
}

bool DrainNotice::is_due(std::chrono::nanoseconds now) {
  if (!next_ || now < *next_) {
    return false;
  }
  period_ = std::min(3 * period_, kLongest);
  next_ = now + period_;
  return true;
}

std::string DrainNotice::text(const LiveStatus& status, const std::string& advice) {
  std::uint64_t inside = 0;
  const LiveLink* fullest = nullptr;
  for (const LiveLink& link : status.links) {
    inside += link.items;
    if (fullest == nullptr || link.items > fullest->items) {
      fullest = &link;
    }
  }
  if (inside == 0) {
    const std::string names = still_running(status);
    return "draining: no item waits between workers; still running: " + (names.empty() ? "nothing" : names) + "; " +
           advice;
  }
  std::string where;
  for (const std::uint32_t consumer : fullest->consumers) {
    where += (where.empty() ? "" : ", ") + status.workers.at(consumer).name;
  }
  return "draining: " + base::count_text(inside, "item") + " inside, " +
         (fullest->items == inside ? (inside == 1 ? "it is" : "all of them are")
                                   : std::to_string(fullest->items) + " are") +
         " in or in front of " + where + "; " + advice;
}

}  // namespace pystream::coord
