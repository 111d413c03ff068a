#include <algorithm>
#include <array>
#include <thread>

#include "base/escaped_text.hpp"
#include "base/number_text.hpp"
#include "cli/commands.hpp"
#include "cli/terminal.hpp"
#include "plan/stage_names.hpp"
#include "profile/home.hpp"
#include "profile/replica_advice.hpp"
#include "store/past_runs.hpp"
#include "store/stored_summary.hpp"

namespace pystream::cli {
namespace {

struct AdviseOptions {
  std::string name;
  bool json = false;
  std::string folder;
};

/// The newest run of that name that has a profile and has ended. Throws ProfilingError if there is none.
std::int64_t newest_run(store::Database& database, const std::string& name) {
  const std::vector<store::PastRun> runs = store::list_runs(database);
  const auto found = std::find_if(runs.rbegin(), runs.rend(), [&](const store::PastRun& run) {
    return run.name == name && run.duration_s && run.items.value_or(0) > 0;
  });
  if (found == runs.rend()) {
    throw ProfilingError("no run of " + name + " that has ended has a profile; `pystream-coord runs` lists the runs");
  }
  return found->run;
}

std::string as_json(std::int64_t run, const std::vector<profile::Workload>& loads) {
  std::string text = "{\"run\": " + std::to_string(run) + ", \"workers\": [";
  for (const profile::Workload& load : loads) {
    text += (&load != loads.data() ? ", " : "") + std::string("{\"name\": ") + base::json_string(load.name) +
            ", \"service_s\": " + base::json_number(load.service_s) +
            ", \"replicas\": " + std::to_string(load.replicas) + "}";
  }
  return text + "]}\n";
}

std::string as_table(const std::vector<profile::Workload>& loads) {
  base::TextTable table({{.title = "stage"},
                         {.title = "an item", .right = true},
                         {.title = "replicas", .right = true},
                         {.title = "recommended", .right = true}});
  for (const profile::Workload& load : loads) {
    const std::array chosen{load.name};
    const auto replicas = profile::recommended_replicas(loads, load.name, chosen, std::thread::hardware_concurrency());
    table.add({plan::short_key(load.name), base::time_text(load.service_s), std::to_string(load.replicas),
               load.may_have_replicas && replicas ? std::to_string(*replicas) : "-"});
  }
  return table.text(look_of(STDOUT_FILENO));
}

int advise(const AdviseOptions& options) {
  store::Database database = store::open_for_reading(profile::profiler_folder(options.folder));
  const std::int64_t run = newest_run(database, options.name);
  const std::vector<profile::Workload> loads = profile::workloads(store::read_summary(database, run).keys);
  print(options.json ? as_json(run, loads) : as_table(loads));
  return kDone;
}

}  // namespace

void add_advise(CLI::App& app, Command& chosen) {
  CLI::App& command =
      add_command(app, "advise", "Show how many replicas of each stage the last run of a plan recommends",
                  "  pystream-coord advise demo           # of demo.json\n"
                  "  pystream-coord advise demo --json");
  const auto options = std::make_shared<AdviseOptions>();
  command.add_option("NAME", options->name, "Name of the plan, without folder and .json; see runs")
      ->required()
      ->type_name("");
  command.add_flag("--json", options->json, "For programs: what each worker does for an item, in seconds");
  command.add_option("--folder", options->folder, "Profiler folder, if it is not the default one")->type_name("DIR");
  command.callback([options, &chosen] { chosen = [options] { return advise(*options); }; });
}

}  // namespace pystream::cli
