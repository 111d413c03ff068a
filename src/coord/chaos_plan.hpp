#pragma once

#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "plan/topology.hpp"

/// Which workers a fault drill hits next. Pure: the seed and what may be hit go in, victims come out.
namespace pystream::coord {

enum class ChaosMode {
  single,  ///< one worker at a time
  pairs,   ///< two neighbours at once
  all,     ///< every worker at once
  stop,    ///< one worker stands still for a while, another is killed now and then
  mixed,   ///< all of these
};

struct Strike {
  std::vector<plan::WorkerId> killed;
  std::vector<plan::WorkerId> stopped;  ///< to be continued later
};

class ChaosPlan {
 public:
  ChaosPlan(const plan::Topology& topology, ChaosMode mode, std::uint64_t seed);

  /// May be empty: none of the chosen workers may be hit. `may_hit`: one for each worker.
  Strike next(const std::vector<bool>& may_hit);
  /// True for one draw in `n`.
  bool one_in(std::uint64_t n) { return below(n) == 0; }

 private:
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  ChaosMode choose_mode();
  plan::WorkerId pick(const std::vector<plan::WorkerId>& candidates) { return candidates[below(candidates.size())]; }

  ChaosMode mode_;
  std::mt19937_64 random_;
  std::vector<plan::WorkerId> workers_;  ///< without the user's process
  std::vector<std::pair<plan::WorkerId, plan::WorkerId>> neighbours_;
};

}  // namespace pystream::coord
