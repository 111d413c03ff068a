#pragma once

#include <cstdint>

namespace pystream {

/// How the consumers of a link share its items. The values stand in shared memory (`shm/segment_abi.hpp`).
enum class Sharing : std::uint32_t {
  every = 0,     ///< every one of them takes every item; also of a link with one consumer
  turn = 1,      ///< each item is dealt to one of them, in turn: they are replicas. The end is for all
  branches = 2,  ///< every one of them takes every item and answers it: each record but the end closes one region more
  /// Each item is dealt to one of all but the last: to the one with the fewest to do, or to the one that gets all items
  /// of its key. The last consumer follows the dealing: it takes nothing, reads to whom each item was dealt, and
  /// collects the answers in that order.
  least_loaded = 3,
  key = 4,
};

constexpr bool is_dealt(Sharing sharing) {
  return sharing == Sharing::turn || sharing == Sharing::least_loaded || sharing == Sharing::key;
}

/// The last consumer follows the dealing and takes nothing.
constexpr bool is_followed(Sharing sharing) {
  return sharing == Sharing::least_loaded || sharing == Sharing::key;
}

}  // namespace pystream
