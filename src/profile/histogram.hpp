#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <vector>

#include "shm/profile_abi.hpp"

/// Percentiles of the buckets that shm/profile_abi.hpp defines.
namespace pystream::profile {

/// A place in a histogram.
struct Rank {
  std::size_t bucket = 0;
  double inside = 0;  ///< how far behind the bucket's begin, 0 to 1, as if its items were spread evenly
};

/// Where the first `share` of the items end. nullopt: there are none.
template <class Count>
std::optional<Rank> rank_of(const std::vector<Count>& histogram, double share) {
  const double rank = share * std::accumulate(histogram.begin(), histogram.end(), 0.0);
  double below = 0;
  for (std::size_t i = 0; i < histogram.size(); ++i) {
    const auto items = static_cast<double>(histogram[i]);
    below += items;
    if (below > 0 && below >= rank) {
      return Rank{.bucket = i, .inside = std::clamp((rank - (below - items)) / items, 0.0, 1.0)};
    }
  }
  return std::nullopt;
}

/// The value that `share` of the items do not exceed, in seconds, within 1/32. 0: there are none.
inline double percentile_s(const std::vector<std::uint64_t>& histogram, double share, std::uint64_t max_ns) {
  const std::optional<Rank> rank = rank_of(histogram, share);
  // The bucket's middle may lie beyond the largest value seen.
  return rank ? std::min(shm::bucket_middle(rank->bucket), static_cast<double>(max_ns)) * 1e-9 : 0;
}

/// The same, interpolated, so that a change smaller than a bucket shows.
inline double interpolated_percentile_s(const std::vector<double>& histogram, double share) {
  const std::optional<Rank> rank = rank_of(histogram, share);
  if (!rank) {
    return 0;
  }
  const auto low = static_cast<double>(shm::bucket_low(rank->bucket));
  return (low + rank->inside * (static_cast<double>(shm::bucket_low(rank->bucket + 1)) - low)) * 1e-9;
}

}  // namespace pystream::profile
