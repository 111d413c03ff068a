#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/load_plan.hpp"
#include "cli/temporary_folder.hpp"

namespace pystream::cli {

/// Where a plan runs under fault injection: a folder for what its sinks write and for its profiles, so that nothing
/// which the plan's own runs have left is touched.
class ChaosPlace {
 public:
  /// Makes `loaded` write here. `keep`: this folder, which stays; empty: a temporary one. Throws BadUsage if the sink
  /// cannot be made to write somewhere else, or `keep` is in use.
  ChaosPlace(LoadedPlan& loaded, const std::string& keep);

  /// Whether a sink writes anything.
  bool has_output() const { return !output_.empty() || !of_branches_.empty(); }
  /// Keeps the present output as that of the run without faults. Throws Error if there is none.
  void keep_undisturbed();
  /// The difference between the present output and that one; empty: none.
  std::string difference() const;
  /// Copies the present output to the path of --output. False: there is none.
  bool deliver(const std::string& output) const;

 private:
  /// Sinks of branches, each into a folder of its own.
  void redirect_others(const LoadedPlan& loaded, plan::Node& pipeline, const std::filesystem::path& place);
  /// The file or folder that the sink writes now; empty: none.
  static std::filesystem::path redirect_sink(const LoadedPlan& loaded, plan::StageSpec& sink,
                                             const std::filesystem::path& place);

  std::optional<TemporaryFolder> temporary_;
  std::filesystem::path folder_;
  std::vector<std::filesystem::path> of_branches_;  ///< folders for what their sinks write
  std::filesystem::path output_;                    ///< the file or folder that the main sink writes
};

}  // namespace pystream::cli
