#pragma once

#include <functional>
#include <memory>
#include <string>

#include "cli/load_plan.hpp"
#include "coord/bookkeeping.hpp"
#include "coord/coordinator.hpp"
#include "coord/output_locks.hpp"
#include "worker/layout.hpp"

namespace pystream::cli {

/// All that a Coordinator needs to run a loaded plan once: its shared memory, its bookkeeper, a launcher.
class PreparedRun {
 public:
  /// Throws BadPlan if an output is an input, and Error if another run writes an output.
  /// `warn` is told if no profile can be written, or an output cannot be locked. REQUIRES: `loaded` lives longer.
  PreparedRun(const LoadedPlan& loaded, const std::function<void(const std::string&)>& warn);

  /// The parts that do not depend on the command; lives no longer than this object.
  coord::RunSetup setup();
  const plan::Topology& topology() const { return topology_; }
  const worker::Layout& layout() const { return layout_; }
  /// After a run that did not fail: outputs that were made for it stay, even if they are empty.
  void keep_outputs() { locks_.keep_made(); }
  /// The command that lists the dead letters of this run.
  std::string letters_command() const;

 private:
  const LoadedPlan& loaded_;
  std::string name_;
  plan::Topology topology_;
  std::vector<coord::FileClaim> files_;
  coord::OutputLocks locks_;
  worker::Layout layout_;
  shm::Segment segment_;
  std::unique_ptr<coord::Bookkeeping> bookkeeping_;
  coord::SpawnLauncher launcher_;
};

}  // namespace pystream::cli
