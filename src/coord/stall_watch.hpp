#pragma once

#include <optional>
#include <string>
#include <vector>

#include "coord/supervisor.hpp"

namespace pystream::coord {

/// Notices workers that process one item for long, and decides when to report them. Has no clock of its own. Sources
/// are left out, as they may wait for the world, and so are workers with a timeout: the Supervisor deals with those.
class StallWatch {
 public:
  explicit StallWatch(const plan::Topology& topology);

  /// A worker that has been with one item for ten seconds. It is reported once for each item; of a stage that is slow
  /// again and again the next is reported after ten seconds, twenty, …
  struct Stall {
    plan::WorkerId id = 0;
    Time age{};
  };
  /// `views` are those of all workers.
  std::vector<Stall> look(const std::vector<WorkerView>& views, Time now);
  /// How long the worker had processed its item at the last look, exact to the time between two looks; nullopt: it
  /// has none.
  std::optional<Time> age(plan::WorkerId id) const;
  /// When the next look is due.
  Time next_look() const;

 private:
  struct Worker {
    bool watched = false;       ///< no timeout would notice a stall
    bool source_first = false;  ///< its first stage is a source
    std::optional<std::uint64_t> number;
    std::uint32_t segment = 0;
    std::uint64_t commits = 0;
    Time since{};
    bool told = false;  ///< of this item
    Time quiet_until{};
    Time pause{};
  };
  static bool has_moved(const Worker& worker, const WorkerView& view);

  std::vector<Worker> workers_;
  Time looked_at_{};
};

/// "stage X has been working on item 7 for 12 s; …". `stage`: profile key.
std::string stall_text(const std::string& stage, const WorkerView& view, Time age);

}  // namespace pystream::coord
