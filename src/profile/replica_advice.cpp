#include "profile/replica_advice.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/number_text.hpp"
#include "plan/stage_names.hpp"

namespace pystream::profile {
namespace {

constexpr double kLeastGain = 1.2;
constexpr double kShortest = 1e-9;  ///< seconds; so that nothing is divided by 0

struct Busy {
  Workload of;
  std::string last_worker;  ///< that was counted
  double busy_s = 0;
  std::uint64_t items = 0;
};

void add(std::vector<Busy>& all, const KeySummary& key) {
  const std::string name = plan::without_replicas(key.worker);
  auto found = std::ranges::find(all, name, [](const Busy& busy) { return busy.of.name; });
  if (found == all.end()) {
    all.push_back({.of = {.name = name, .replicas = 0}});
    found = all.end() - 1;
  }
  if (found->last_worker != key.worker) {
    found->last_worker = key.worker;
    ++found->of.replicas;
    found->items += key.items;
  }
  found->busy_s += key.busy_s;
  found->of.may_have_replicas &= key.role == "stage";
  found->of.bottleneck |= key.bottleneck;
}

}  // namespace

std::vector<Workload> workloads(std::span<const KeySummary> keys) {
  std::vector<Busy> all;
  for (const KeySummary& key : keys) {
    if (key.role != "pipeline" && key.replicas == 1 && key.items > 0) {
      add(all, key);
    }
  }
  // Filtered items cost those behind the filter nothing.
  const double entered = all.empty() ? 1 : std::max(static_cast<double>(all.front().items), 1.0);
  std::vector<Workload> found;
  for (Busy& busy : all) {
    busy.of.service_s = std::max(busy.busy_s / entered, kShortest);
    found.push_back(std::move(busy.of));
  }
  return found;
}

std::optional<ReplicaAdvice> advise_replicas(std::span<const KeySummary> keys, std::uint32_t cores) {
  const std::vector<Workload> all = workloads(keys);
  const auto slowest = std::ranges::find(all, true, &Workload::bottleneck);
  if (slowest == all.end() || !slowest->may_have_replicas) {
    return std::nullopt;
  }
  double others = std::numeric_limits<double>::infinity();
  for (const Workload& other : all) {
    others = &other == &*slowest ? others : std::min(others, other.capacity());
  }
  const double wanted = std::min<double>(std::ceil(others * slowest->service_s), std::max<double>(cores, 1));
  const double capacity = std::min(wanted / slowest->service_s, others);
  const double gain = capacity / slowest->capacity();
  if (gain < kLeastGain) {
    return std::nullopt;
  }
  return ReplicaAdvice{.name = slowest->name, .replicas = static_cast<std::uint32_t>(wanted), .gain = gain};
}

std::optional<std::uint32_t> recommended_replicas(std::span<const Workload> all, const std::string& key,
                                                  std::span<const std::string> chosen, std::uint32_t cores) {
  double service = 0;
  double others = std::numeric_limits<double>::infinity();
  for (const Workload& load : all) {
    if (plan::is_within(load.name, key)) {
      service = std::max(service, load.service_s);
    } else if (std::ranges::none_of(chosen, [&](const std::string& one) { return plan::is_within(load.name, one); })) {
      others = std::min(others, load.capacity());
    }
  }
  if (service == 0) {
    return std::nullopt;
  }
  const double wanted = others * service;
  const double most = std::max<double>(cores, 1);
  return wanted < kLeastGain ? 1U : static_cast<std::uint32_t>(std::min(std::ceil(wanted), most));
}

std::string advice_text(const std::optional<ReplicaAdvice>& advice) {
  if (!advice) {
    return {};
  }
  return "; " + std::to_string(advice->replicas) + " replicas of " + plan::short_key(advice->name) +
         " would give about " + base::fixed_text(advice->gain, 1) + " times as many items a second";
}

}  // namespace pystream::profile
