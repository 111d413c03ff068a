#pragma once

#include <span>
#include <vector>

#include "profile/figures.hpp"
#include "profile/summary.hpp"

namespace pystream::profile {

/// In front of the first replica of each stage, what all of its replicas did together, under the key that they have in
/// common. `figures`: of each key, without those of pipelines inside others.
std::vector<KeySummary> with_replica_sums(std::vector<KeySummary> keys, std::span<const Figures> figures);

}  // namespace pystream::profile
