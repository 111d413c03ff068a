#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace pystream::profile {

/// What a source, stage or sink did.
struct StageLoad {
  std::string_view worker;  ///< its process; stages of one share `blocked`
  double blocked = 0;       ///< share of the worker's time
  double busy_s = 0;        ///< inside the stage, all items together
};

struct Bottleneck {
  std::size_t stage = 0;        ///< index
  bool blocked_before = false;  ///< the stages in front of it wait for it
};

/// The stage that limits the others: where blocked stages end; without such a place the one that works most.
/// nullopt: there is none. `stages`: in the order of the items' way.
std::optional<Bottleneck> find_bottleneck(std::span<const StageLoad> stages);

}  // namespace pystream::profile
