#include "coord/drain_notice.hpp"

#include <algorithm>
#include <cmath>
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

/// Seconds until every link is empty if its consumers go on as they did since `before`; none: one of them did nothing.
/// What is further up has to pass every link behind it. (Links stand in the order of the items' way.)
std::optional<double> time_left(const LiveStatus& before, const LiveStatus& now) {
  const double seconds = static_cast<double>(now.time_ns - before.time_ns) * 1e-9;
  double longest = 0;
  std::uint64_t to_come = 0;
  for (std::size_t i = 0; i < now.links.size() && i < before.links.size(); ++i) {
    to_come += now.links[i].items;
    const std::uint64_t done = now.links[i].done - std::min(now.links[i].done, before.links[i].done);
    if (to_come > 0 && done == 0) {
      return std::nullopt;
    }
    if (done > 0) {
      longest = std::max(longest, static_cast<double>(to_come) * seconds / static_cast<double>(done));
    }
  }
  return longest;
}

/// "; about 12 s at this rate"; nothing of a time that is too short to tell.
std::string time_text(const LiveStatus& before, const LiveStatus& now) {
  constexpr std::int64_t kShortNs = 200'000'000;
  if (now.time_ns - before.time_ns < kShortNs) {
    return "";
  }
  const auto seconds = time_left(before, now);
  if (!seconds) {
    return "; the time left is unknown, because a stage has not finished an item lately";
  }
  return *seconds < 1 ? "; less than a second at this rate"
                      : "; about " + std::to_string(std::llround(*seconds)) + " s at this rate";
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

std::string DrainNotice::text(const LiveStatus& before, const LiveStatus& now, const std::string& advice) {
  std::uint64_t inside = 0;
  const LiveLink* fullest = nullptr;
  for (const LiveLink& link : now.links) {
    inside += link.items;
    if (fullest == nullptr || link.items > fullest->items) {
      fullest = &link;
    }
  }
  if (inside == 0) {
    const std::string names = still_running(now);
    return "draining: no item waits between workers; still running: " + (names.empty() ? "nothing" : names) + "; " +
           advice;
  }
  std::string where;
  for (const std::uint32_t consumer : fullest->consumers) {
    where += (where.empty() ? "" : ", ") + now.workers.at(consumer).name;
  }
  return "draining: " + base::count_text(inside, "item") + " inside, " +
         (fullest->items == inside ? (inside == 1 ? "it is" : "all of them are")
                                   : std::to_string(fullest->items) + " are") +
         " in or in front of " + where + time_text(before, now) + "; " + advice;
}

}  // namespace pystream::coord
