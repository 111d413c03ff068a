#include "profile/summary.hpp"

#include <algorithm>
#include <cmath>

#include "profile/histogram.hpp"

namespace pystream::profile {
namespace {

double ratio(double a, double b) {
  return b > 0 ? a / b : 0;
}

}  // namespace

KeySummary summary_of(const Figures& f) {
  constexpr double kNs = 1e-9;
  const auto waiting = static_cast<double>(f.waiting_ns);
  const auto working = static_cast<double>(f.working_ns);
  const auto blocked = static_cast<double>(f.blocked_ns);
  const auto total = static_cast<double>(f.total_ns);
  const double active = waiting + working + blocked;
  const double span_s = static_cast<double>(f.last_end_ns - f.first_end_ns) * kNs;
  KeySummary key{.items = f.items,
                 .errors = f.errors,
                 .samples = f.samples,
                 .mean_s = ratio(total, static_cast<double>(f.items)) * kNs,
                 .min_s = static_cast<double>(f.min_ns) * kNs,
                 .max_s = static_cast<double>(f.max_ns) * kNs,
                 .items_per_s = items_per_second(f.items, span_s),
                 .rate = f.items > 1 ? ratio(static_cast<double>(f.items - 1), span_s) : 0,
                 .waiting = ratio(waiting, active),
                 .working = ratio(working, active),
                 .blocked = ratio(blocked, active),
                 .busy_s = total * kNs,
                 .active_s = active * kNs,
                 .rows_lost = f.rows_lost};
  set_percentiles(key, f.histogram, f.max_ns);
  key.rank_error = rank_error(key, static_cast<double>(f.samples));
  return key;
}

void set_percentiles(KeySummary& key, const std::vector<std::uint64_t>& histogram, std::uint64_t max_ns) {
  key.p50_s = percentile_s(histogram, 0.5, max_ns);
  key.p90_s = percentile_s(histogram, 0.9, max_ns);
  key.p99_s = percentile_s(histogram, 0.99, max_ns);
  key.p999_s = percentile_s(histogram, 0.999, max_ns);
}

double rank_error(const KeySummary& key, double effective) {
  constexpr double kConfidence = 1.96;  // of a normal distribution: 95 %
  const double unseen = 1 - ratio(static_cast<double>(key.samples), static_cast<double>(key.items));
  return unseen > 0 && effective > 0 ? std::min(kConfidence * std::sqrt(0.25 * unseen / effective), 0.5) : 0;
}

std::optional<LimitingStage> mark_bottleneck(std::vector<KeySummary>& keys, std::span<const WorkerLink> links) {
  std::vector<KeySummary*> stages;
  std::vector<StageLoad> loads;
  for (KeySummary& key : keys) {
    if (key.role != "pipeline" && key.replicas == 1 && key.items > 0) {
      stages.push_back(&key);
      loads.push_back({.worker = key.worker,
                       .blocked = key.blocked,
                       .busy_s = key.busy_s,
                       .working_s = key.working * key.active_s,
                       .active_s = key.active_s,
                       .items = key.items,
                       .slowest_s = key.max_s,
                       .waiting = key.waiting});
    }
  }
  const auto found = find_bottleneck(loads, links);
  if (!found) {
    return std::nullopt;
  }
  stages[found->stage]->bottleneck = true;
  return LimitingStage{
      .key = stages[found->stage], .blocked_before = found->blocked_before, .waiting_behind = found->waiting_behind};
}

const KeySummary* RunSummary::find(const std::string& key) const {
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const KeySummary& k) { return k.key == key; });
  return found != keys.end() ? &*found : nullptr;
}

std::map<std::string, double> RunSummary::latency() const {
  std::map<std::string, double> result;
  for (const KeySummary& key : keys) {
    result[key.key] = key.mean_s;
  }
  return result;
}

std::map<std::string, double> RunSummary::throughput() const {
  std::map<std::string, double> result;
  for (const KeySummary& key : keys) {
    result[key.key] = key.rate;
  }
  return result;
}

}  // namespace pystream::profile
