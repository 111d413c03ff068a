#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plan/topology.hpp"

namespace pystream::profile {

/// Everything that has a profile key: a source, stage, sink or pipeline.
struct ProfileKey {
  std::string key;
  std::optional<plan::Role> role;  ///< none: a pipeline
  plan::WorkerId worker = 0;
  std::uint32_t index = 0;  ///< among the worker's StageStats; kDerived: a pipeline inside the main pipeline
  /// Of a derived key, positions among the keys of the run: its first stage, the stages whose output leaves it, and the
  /// stages whose output it takes (none at the entrance of the main pipeline).
  struct Ends {
    /// Stages that do one work together: replicas, and branches that are merged. An item leaves other branches with the
    /// slowest group, or with the fastest one.
    std::vector<std::vector<std::uint32_t>> groups{};
    bool fastest = false;
  };
  std::uint32_t first = 0;
  Ends last{};
  Ends before{};

  static constexpr std::uint32_t kDerived = 0xffffffff;
  bool derived() const { return index == kDerived; }
};

/// In the order that people see: outer pipelines before what is in them.
std::vector<ProfileKey> profile_keys(const plan::Topology& topology);

}  // namespace pystream::profile
