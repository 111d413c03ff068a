#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/unique_fd.hpp"
#include "coord/chaos_plan.hpp"
#include "coord/coordinator.hpp"

namespace pystream::coord {

struct ChaosSetup {
  ChaosMode mode = ChaosMode::mixed;
  std::uint64_t seed = 0;
  std::uint64_t kills = 0;
  std::chrono::nanoseconds interval = std::chrono::milliseconds(10);
  std::function<void()> over{};  ///< called once when all kills are done and recovered from
};

struct ChaosFigures {
  std::uint64_t kills = 0;
  std::uint64_t stops = 0;
  std::vector<std::int64_t> recoveries_ns;  ///< kill to the replacement's first commit, where it lived to see one
};

/// Kills and stops the workers of a running pipeline, on a timer of the coordinator's own loop.
///
/// A worker is hit only if it has committed something, or waits, since its last start: so the storm lets the pipeline
/// go on. One strike in eight takes no heed of that and also hits workers that are just starting, but none more than a
/// few times in a row (see Supervisor about SIGKILLs from outside on one item). The storm is over once each worker that
/// was killed has committed again, or has had long enough to: a pipeline that stands still after the last kill must not
/// look like one that went on.
class Chaos {
 public:
  /// REQUIRES: `coordinator` lives longer, and runs `topology`.
  Chaos(const plan::Topology& topology, Coordinator& coordinator, ChaosSetup setup);
  ~Chaos();
  Chaos(const Chaos&) = delete;
  Chaos& operator=(const Chaos&) = delete;

  const ChaosFigures& figures() const { return figures_; }
  /// After the run: also the recoveries that were still awaited.
  void collect();

 private:
  struct Victim {
    std::optional<std::int64_t> killed_ns;  ///< its replacement has not committed yet
    std::uint32_t incarnation = 0;          ///< of the one that was killed
    std::uint32_t in_vain = 0;              ///< kills in a row without a commit
    std::int64_t continue_ns = 0;           ///< it is stopped until then
  };

  void on_timer();
  void continue_stopped(std::int64_t now);
  void strike(std::int64_t now);
  std::uint32_t incarnation_of(plan::WorkerId id) const;
  std::vector<bool> may_hit(bool careless) const;
  bool all_recovered() const;
  void end();

  Coordinator& coordinator_;
  ChaosSetup setup_;
  ChaosPlan plan_;
  base::UniqueFd timer_;
  std::vector<Victim> victims_;
  ChaosFigures figures_;
  std::int64_t patience_ends_ns_ = 0;
  bool over_ = false;
};

}  // namespace pystream::coord
