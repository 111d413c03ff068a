#include "base/number_text.hpp"
#include "cli/commands.hpp"
#include "cli/terminal.hpp"
#include "plan/stage_names.hpp"
#include "profile/home.hpp"
#include "store/past_runs.hpp"
#include "store/stored_summary.hpp"

namespace pystream::cli {
namespace {

struct RunsOptions {
  bool json = false;
  std::string folder;
};

std::string count_or_dash(const std::optional<std::uint64_t>& count) {
  return count ? std::to_string(*count) : "-";
}

constexpr std::size_t kToTheMinute = 16;  ///< of "2026-01-31 23:59:59"

std::string listed(const std::vector<store::PastRun>& runs) {
  using Cut = base::TextTable::Cut;
  base::TextTable table({{.title = "run", .right = true},
                         {.title = "name", .cut = Cut::middle},
                         {.title = "started", .drop = 4},
                         {.title = "took", .right = true, .drop = 3},
                         {.title = "outcome"},
                         {.title = "items", .right = true},
                         {.title = "errors", .right = true, .drop = 2},
                         {.title = "restarts", .right = true, .drop = 5},
                         {.title = "drops", .right = true, .drop = 7},
                         {.title = "letters", .right = true, .drop = 1},
                         {.title = "reason", .cut = Cut::end, .drop = 6}});
  for (const store::PastRun& run : runs) {
    table.add({std::to_string(run.run), run.name, base::date_text(run.started).substr(0, kToTheMinute),
               run.duration_s ? base::time_text(*run.duration_s) : "-", run.outcome, count_or_dash(run.items),
               count_or_dash(run.errors), count_or_dash(run.restarts), count_or_dash(run.dropped),
               std::to_string(run.dead_letters), plan::short_key(run.reason)});
  }
  return table.text(look_of(STDOUT_FILENO));
}

int runs(const RunsOptions& options) {
  store::Database database = store::open_for_reading(profile::profiler_folder(options.folder));
  const std::vector<store::PastRun> found = store::list_runs(database);
  if (options.json) {
    print(store::to_json(found));
  } else {
    print(found.empty() ? "no runs yet\n" : listed(found));
  }
  return kDone;
}

}  // namespace

void add_runs(CLI::App& app, Command& chosen) {
  CLI::App& command = add_command(app, "runs", "List the runs in the profile database",
                                  "  pystream-coord runs\n"
                                  "  pystream-coord runs --json");
  const auto options = std::make_shared<RunsOptions>();
  command.add_flag("--json", options->json, "Print the result as JSON");
  command.add_option("--folder", options->folder, "Profiler folder, if it is not the default one")->type_name("DIR");
  command.callback([options, &chosen] { chosen = [options] { return runs(*options); }; });
}

}  // namespace pystream::cli
