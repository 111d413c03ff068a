#include "report/report.hpp"

#include "cli/commands.hpp"
#include "cli/output_file.hpp"
#include "profile/home.hpp"

namespace pystream::cli {
namespace {

struct ReportOptions {
  std::string run = "last";
  std::string output = "report.html";
  std::string folder;
};

int report(const ReportOptions& options) {
  store::Database database = store::open_for_reading(profile::profiler_folder(options.folder));
  const std::string html = report::to_html(report::read_report(database, store::find_run(database, options.run)));
  write_output(options.output, html, profile::database_files_in(profile::profiler_folder(options.folder)));
  return kDone;
}

}  // namespace

void add_report(CLI::App& app, Command& chosen) {
  CLI::App& command = add_command(app, "report", "Write a run's whole profile as a page",
                                  "  pystream-coord report last -o report.html");
  const auto options = std::make_shared<ReportOptions>();
  command.add_option("RUN", options->run, "Number of the run, or last, last-1, ...");
  command.add_option("-o,--output", options->output, "File to write; - is standard output")->type_name("FILE");
  command.add_option("--folder", options->folder, "Profiler folder, if it is not the default one")->type_name("DIR");
  command.callback([options, &chosen] { chosen = [options] { return report(*options); }; });
}

}  // namespace pystream::cli
