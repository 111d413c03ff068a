#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "profile/summary.hpp"

/// What replicas would do for a run, by a simple model: each worker has a core, and the slowest sets the pace.
namespace pystream::profile {

/// A worker, or the replicas of one.
struct Workload {
  std::string name;      ///< key of its stage, or of its serial pipeline
  double service_s = 0;  ///< time that one replica spends on an item that enters the pipeline, in the mean
  std::uint32_t replicas = 1;
  bool may_have_replicas = true;  ///< not a source or sink
  bool bottleneck = false;        ///< the summary's

  double capacity() const { return replicas / service_s; }  ///< items a second
};

/// Of all workers that have stages with items, in the order of their first stages.
std::vector<Workload> workloads(std::span<const KeySummary> keys);

struct ReplicaAdvice {
  std::string name;
  std::uint32_t replicas = 0;  ///< in all
  double gain = 0;             ///< how many times as many items a second to expect
};

/// So many replicas of the bottleneck that another worker sets the pace, at most one for each of `cores`; nullopt if
/// there is no bottleneck that may have more, or they would gain less than a fifth.
std::optional<ReplicaAdvice> advise_replicas(std::span<const KeySummary> keys, std::uint32_t cores);

/// So many replicas of the stage or pipeline `key` that a worker outside of all `chosen` ones, which are being chosen
/// for, sets the pace: at least 1, at most one for each of `cores`. nullopt: the run says nothing of it.
std::optional<std::uint32_t> recommended_replicas(std::span<const Workload> all, const std::string& key,
                                                  std::span<const std::string> chosen, std::uint32_t cores);

/// "; 3 replicas of Encode would give about 2.5 times as many items a second", or nothing.
std::string advice_text(const std::optional<ReplicaAdvice>& advice);

}  // namespace pystream::profile
