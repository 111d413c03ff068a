#pragma once

#include <string>
#include <vector>

#include "cli/load_plan.hpp"
#include "coord/output_locks.hpp"
#include "coord/run_assembly.hpp"

namespace pystream::cli {

/// A loaded plan, ready to run once: its outputs are locked, and all is there that a Coordinator needs.
class PreparedRun {
 public:
  /// Throws BadPlan if an output is an input, and Error if another run writes an output.
  /// Calls `warn` if no profile can be written, or an output cannot be locked. REQUIRES: `loaded` lives longer.
  PreparedRun(const LoadedPlan& loaded, const coord::ProfilerClient::Warn& warn);

  /// The parts that do not depend on the command; lives no longer than this object.
  coord::RunSetup setup() const { return assembly_.setup(); }
  const plan::Topology& topology() const { return topology_; }
  /// After a run that did not fail: outputs that were made for it stay, even if they are empty.
  void keep_outputs() { locks_.keep_made(); }
  /// The command that lists the dead letters of this run.
  std::string letters_command() const;

 private:
  const LoadedPlan& loaded_;
  plan::Topology topology_;
  std::vector<coord::FileClaim> files_;
  coord::OutputLocks locks_;
  coord::RunAssembly assembly_;
};

}  // namespace pystream::cli
