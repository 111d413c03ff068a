#include <unistd.h>

#include "cli/commands.hpp"
#include "cli/output_file.hpp"
#include "cli/terminal.hpp"
#include "profile/home.hpp"
#include "report/summary_text.hpp"
#include "store/stored_summary.hpp"

namespace pystream::cli {
namespace {

struct ProfileOptions {
  std::string run = "last";
  std::string format = "table";
  std::string output;
  std::string folder;
};

int show(const ProfileOptions& options) {
  store::Database database = store::open_for_reading(profile::profiler_folder(options.folder));
  const profile::RunSummary summary = store::read_summary(database, store::find_run(database, options.run));
  const bool to_terminal = options.output.empty() || options.output == "-";
  write_output(options.output,
               options.format == "json" ? report::to_json(summary)
               : options.format == "csv"
                   ? report::to_csv(summary)
                   : report::to_table(summary, to_terminal ? look_of(STDOUT_FILENO) : base::TextTable::Look{}),
               profile::database_files_in(profile::profiler_folder(options.folder)));
  return kDone;
}

}  // namespace

void add_profile(CLI::App& app, Command& chosen) {
  CLI::App& command = add_command(app, "profile", "Show the figures of a run's stages, and its bottleneck",
                                  "  pystream-coord profile\n"
                                  "  pystream-coord profile --run 12 --format json");
  const auto options = std::make_shared<ProfileOptions>();
  command.add_option("--run", options->run, "Number of the run, or last, last-1, ...")->type_name("RUN");
  command.add_option("--format", options->format, "Output format")
      ->check(CLI::IsMember({"table", "json", "csv"}))
      ->type_name("FORMAT");
  command.add_option("-o,--output", options->output, "Write to this file instead of standard output")
      ->type_name("FILE");
  command.add_option("--folder", options->folder, "Profiler folder, if it is not the default one")->type_name("DIR");
  command.callback([options, &chosen] { chosen = [options] { return show(*options); }; });
}

}  // namespace pystream::cli
