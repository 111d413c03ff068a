#include "report/trace.hpp"

#include <optional>

#include "cli/commands.hpp"
#include "cli/output_file.hpp"
#include "profile/home.hpp"
#include "store/stored_summary.hpp"

namespace pystream::cli {
namespace {

struct TraceOptions {
  std::string run = "last";
  std::string output = "-";
  std::optional<std::uint64_t> item;
  std::uint64_t items = 20'000;
  std::string folder;
};

int trace(const TraceOptions& options) {
  store::Database database = store::open_for_reading(profile::profiler_folder(options.folder));
  const std::int64_t run = store::find_run(database, options.run);
  if (options.item) {
    print(report::item_path(database, run, *options.item));
  } else {
    OutputFile out(options.output, OutputFile::Existing::replaced,
                   profile::database_files_in(profile::profiler_folder(options.folder)));
    report::write_trace(database, run, options.items, [&](std::string_view text) { out.write(text); });
    out.commit();
  }
  return kDone;
}

}  // namespace

void add_trace(CLI::App& app, Command& chosen) {
  CLI::App& command =
      add_command(app, "trace", "Write the items of a run as a trace for Perfetto, or print the path of one item",
                  "  pystream-coord trace last -o trace.json    (open it at ui.perfetto.dev)\n"
                  "  pystream-coord trace last --item 4711");
  const auto options = std::make_shared<TraceOptions>();
  command.add_option("RUN", options->run, "Number of the run, or last, last-1, ...");
  command.add_option("-o,--output", options->output, "File to write; - is standard output")->type_name("FILE");
  command.add_option("--item", options->item, "Print the path of this item through the stages")
      ->check(whole_number())
      ->type_name("SEQ");
  command.add_option("--items", options->items, "At most this many items, the oldest first; 0: all")
      ->check(whole_number())
      ->type_name("N");
  command.add_option("--folder", options->folder, "Profiler folder, if it is not the default one")->type_name("DIR");
  command.callback([options, &chosen] { chosen = [options] { return trace(*options); }; });
}

}  // namespace pystream::cli
