#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "cli/load_plan.hpp"

namespace pystream::cli {

/// What a scheduler is to run for one part of a plan.
struct PartUnit {
  std::string host;
  bool moves = false;                  ///< on any machine, not only on the one of that name
  std::vector<std::string> arguments;  ///< of pystream-coord, behind the plan file
};

/// The units of a plan over several hosts. Hosts and the plan's name are lower-case letters, digits and "-"; all else
/// may hold anything.
struct UnitSet {
  std::string plan;               ///< name
  std::filesystem::path program;  ///< pystream-coord
  std::filesystem::path file;     ///< of the plan
  std::filesystem::path folder;   ///< where relative paths in the plan begin
  std::vector<PartUnit> parts;
};

/// Of a plan as the command line gives it; with PlanOptions::host only the unit of that host. Throws BadUsage for a
/// plan from standard input, and BadPlan as cut_plan() does.
UnitSet make_units(const LoadedPlan& loaded, const PlanOptions& options);

/// Each is a text for the scheduler's own tool. Throws Error for paths and arguments that it has no way to write.
std::string systemd_units(const UnitSet& units);    ///< a file for each part, under a comment with its name
std::string kubernetes_jobs(const UnitSet& units);  ///< YAML; pods of the image "pystream"
std::string nomad_job(const UnitSet& units);        ///< JSON, for `nomad job run -json`

/// Seconds that a stopped part has for its drain.
inline constexpr int kStopSeconds = 30;

}  // namespace pystream::cli
