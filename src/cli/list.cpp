#include "base/number_text.hpp"
#include "cli/commands.hpp"
#include "cli/live.hpp"
#include "cli/terminal.hpp"

namespace pystream::cli {
namespace {

int list(bool json) {
  const coord::RunningPipelines running = coord::running_pipelines();
  const std::vector<coord::LiveStatus>& pipelines = running.answered;
  if (const std::string silent = text_of_silent(running); !silent.empty()) {
    warn(silent);
  }
  if (json) {
    std::string text = "[";
    for (const coord::LiveStatus& status : pipelines) {
      text += (text.size() > 1 ? ",\n " : "") + coord::to_json({}, status);
    }
    print(text + "]\n");
    return kDone;
  }
  if (pipelines.empty()) {
    print(running.silent.empty() ? "no pipeline runs\n" : "no pipeline answers\n");
    return kDone;
  }
  base::TextTable table({{.title = "pid", .right = true},
                         {.title = "name", .cut = base::TextTable::Cut::middle},
                         {.title = "run", .right = true},
                         {.title = "state"},
                         {.title = "up", .right = true},
                         {.title = "items", .right = true},
                         {.title = "workers", .right = true, .drop = 1}});
  for (const coord::LiveStatus& status : pipelines) {
    table.add({std::to_string(status.pid), status.name, status.run > 0 ? std::to_string(status.run) : "-", status.state,
               base::time_text(status.uptime_s),
               status.stages.empty() ? "-" : std::to_string(status.stages.back().figures.items),
               std::to_string(status.workers.size())});
  }
  print(table.text(look_of(STDOUT_FILENO)));
  return kDone;
}

}  // namespace

void add_list(CLI::App& app, Command& chosen) {
  CLI::App& command = add_command(app, "list", "List the pipelines that run now (see runs for those that ended)",
                                  "  pystream-coord list\n  pystream-coord list --json");
  const auto json = std::make_shared<bool>(false);
  command.add_flag("--json", *json, "Print the result as JSON");
  command.callback([json, &chosen] { chosen = [json] { return list(*json); }; });
}

}  // namespace pystream::cli
