#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <pystream/registry.hpp>
#include <string>
#include <vector>

#include "coord/coordinator.hpp"
#include "coord/file_claims.hpp"
#include "coord/handed_descriptors.hpp"
#include "plan/cut.hpp"
#include "plan/plan.hpp"
#include "plan/topology.hpp"

namespace pystream::cli {

/// The plan as the command line gives it.
struct PlanOptions {
  std::string file;               ///< "-" is standard input
  std::vector<std::string> sets;  ///< "Stage.param=value"
  std::string input;              ///< empty: as in the plan
  std::string output;             ///< empty: as in the plan
  std::string worker_program;     ///< empty: see coord::find_worker_program()
  std::string host;       ///< the part to load of a plan over several hosts; empty: all, whatever hosts it names
  std::string run = "1";  ///< which of the runs of a plan over several hosts
};

/// Declares PLAN, --set, --input, --output and --worker-program.
void add_plan_options(CLI::App& command, PlanOptions& options);
/// Declares --host and --run.
void add_host_options(CLI::App& command, PlanOptions& options);

/// What runs of a plan are called: by its file.
inline std::string run_name(const std::filesystem::path& plan) {
  return plan == "-" ? "stdin" : plan.stem().string();
}

struct LoadedPlan {
  plan::Plan plan;               ///< checked; its plugins are plain names or absolute paths
  std::vector<StageType> types;  ///< of the worker program and of the plan's plugins; without StageType::make
  std::filesystem::path file;
  std::filesystem::path worker_program;
  coord::HandedDescriptors descriptors;    ///< that stages name
  std::vector<std::string> notes{};        ///< for the user: what was chosen
  std::optional<coord::PartOfRun> part{};  ///< `plan` is this part of the plan in the file

  /// What its runs are called.
  std::string run_name() const { return part ? plan.name + "@" + part->host : cli::run_name(file); }

  /// Upper limit of the checkpointed state of each of Topology::stages, as worker::make_layout() wants it.
  std::vector<std::uint64_t> checkpoint_bytes(const plan::Topology& topology) const;
};

/// Throws BadUsage: --host names a host that the plan has not.
[[noreturn]] void throw_unknown_host(const std::string& host, const std::vector<std::string>& hosts);

/// The parts of the plan, or BadPlan with every fault that keeps it from being cut.
std::vector<plan::Part> cut_plan(const LoadedPlan& loaded, const std::string& run);

/// Where the plugins lie, as a worker program finds them; one that is not found keeps its name.
std::vector<std::filesystem::path> plugin_files(const std::vector<std::string>& plugins);

/// Throws BadPlan with every fault found, BadUsage for faults of the options.
LoadedPlan load_plan(const PlanOptions& options);

/// A plan as the profile database keeps it, of a run (`origin`: for messages). Throws as load_plan() does.
LoadedPlan load_kept_plan(const std::string& text, const std::string& origin, const std::string& worker_program);

/// What the stages of the plan read and write. Throws BadPlan if an output is an input (of a stage, or the plan file
/// itself). `standard_too`: for a run; standard input and output count, and a named descriptor that is not open is a
/// fault.
std::vector<coord::FileClaim> checked_files(const LoadedPlan& loaded, const plan::Topology& topology,
                                            bool standard_too);

/// "standard input" for "-".
std::string shown_file(const std::filesystem::path& file);

}  // namespace pystream::cli
