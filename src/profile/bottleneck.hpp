#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace pystream::profile {

/// What a source, stage or sink did. What concerns its worker is the same for all stages of that worker.
struct StageLoad {
  std::string_view worker;  ///< its process
  double blocked = 0;       ///< share of the worker's time
  double busy_s = 0;        ///< inside the stage, all items together
  double working_s = 0;     ///< of the worker
  double active_s = 0;      ///< of the worker: working, blocked and waiting
  std::uint64_t items = 0;  ///< 0: not known
  double slowest_s = 0;     ///< the item that took longest
  double waiting = 0;       ///< share of the worker's time
};

/// Items go from one worker to another.
struct WorkerLink {
  std::string producer;
  std::string consumer;
};

struct Bottleneck {
  std::size_t stage = 0;        ///< index
  bool blocked_before = false;  ///< the stages upstream wait for it
  bool waiting_behind = false;  ///< the stages downstream do
};

/// A worker that is blocked, or waits, for more of its time than this counts as waiting for others.
inline constexpr double kClearly = 0.3;
/// Fewer items are too few for a rate or a bottleneck.
inline constexpr std::uint64_t kFewestItems = 10;

/// The stage that limits the others: in the worker that works nearly all the time, else in the one behind the last
/// worker that is clearly blocked (of several the one that works most), else in the one that works most. Never a worker
/// that is blocked for half its time. A first item that takes long (a stage that starts) does not count. nullopt:
/// nothing limits, or too few items tell. `stages`: each behind those that it gets items from. Workers of which `links`
/// tell and that have no stage here pass items on.
std::optional<Bottleneck> find_bottleneck(std::span<const StageLoad> stages, std::span<const WorkerLink> links);

/// Items a second, of `items` whose first and last were done `span_s` apart. 0: too few or in too short a time to tell,
/// as workers commit many items at once.
double items_per_second(std::uint64_t items, double span_s);

}  // namespace pystream::profile
