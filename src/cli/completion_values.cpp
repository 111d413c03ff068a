#include "cli/completion_values.hpp"

#include <algorithm>
#include <map>
#include <pystream/error.hpp>
#include <ranges>

#include "cli/load_plan.hpp"
#include "cli/stage_catalog.hpp"
#include "coord/running_pipelines.hpp"
#include "plan/stage_names.hpp"
#include "profile/home.hpp"
#include "store/past_runs.hpp"
#include "store/stored_summary.hpp"

namespace pystream::cli {
namespace {

/// Someone waits for the key to have an effect.
constexpr int kPatienceMs = 200;

std::vector<Candidate> running_names() {
  std::vector<Candidate> out;
  for (const coord::LiveStatus& status : coord::running_pipelines(kPatienceMs).answered) {
    out.push_back({.word = status.name, .text = "process " + std::to_string(status.pid) + ", " + status.state});
  }
  return out;
}

/// The newest first.
std::vector<Candidate> stored_runs() {
  std::vector<Candidate> out{{.word = "last", .text = "the newest run"}};
  store::Database database = store::open_for_reading(profile::profiler_folder(""));
  for (const store::PastRun& run : store::list_runs(database) | std::views::reverse) {
    out.push_back({.word = std::to_string(run.run), .text = run.name + ", " + run.outcome});
  }
  return out;
}

std::vector<Candidate> stage_types() {
  std::vector<Candidate> out;
  for (const StageType& type : all_types(read_stage_catalog({}))) {
    out.push_back({.word = type.name, .text = type.info.summary});
  }
  return out;
}

/// "Resize.width=" and the like. What is behind '=' is for the user to know.
std::vector<Candidate> settings_of(const std::string& file) {
  std::vector<Candidate> out;
  if (file.empty() || file == "-") {
    return out;
  }
  const LoadedPlan loaded = load_plan({.file = file});
  const plan::Topology topology = plan::make_topology(loaded.plan);
  for (const plan::PlacedStage& placed : topology.stages) {
    const auto type = std::ranges::find(loaded.types, placed.node->stage->type, &StageType::name);
    if (!placed.first_replica || type == loaded.types.end()) {
      continue;
    }
    const std::string stage = plan::short_key(plan::without_replicas(placed.key));
    for (const ParamSpec& spec : type->info.params) {
      out.push_back({.word = stage + "." + spec.name + "=", .text = spec.text});
    }
    if (type->kind == StageKind::stage) {
      out.push_back({.word = stage + ".replicas=", .text = "so many of it share the items"});
    }
  }
  return out;
}

}  // namespace

Candidates values_named(const std::string& name, const std::string& plan) {
  static const std::map<std::string, PathKind, std::less<>> kPaths{
      {"FILE", PathKind::files}, {"DIR", PathKind::folders}, {"PLAN", PathKind::plans}};
  if (const auto found = kPaths.find(name); found != kPaths.end()) {
    return {.paths = found->second};
  }
  try {
    if (name == "PIPELINE") {
      return {.words = running_names()};
    }
    if (name == "RUN" || name == "RUN_A" || name == "RUN_B") {
      return {.words = stored_runs()};
    }
    if (name == "TYPE") {
      return {.words = stage_types()};
    }
    if (name == "STAGE.PARAM=VALUE") {
      return {.words = settings_of(plan)};
    }
  } catch (const Error&) {  // no database, a plan with faults: the command itself tells what is wrong
  }
  return {};
}

}  // namespace pystream::cli
