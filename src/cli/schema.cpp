#include <memory>

#include "cli/commands.hpp"
#include "cli/load_plan.hpp"
#include "cli/output_file.hpp"
#include "cli/stage_catalog.hpp"
#include "plan/plan_json.hpp"

namespace pystream::cli {
namespace {

int schema(const CatalogOptions& options, const std::string& file) {
  std::string text = plan::plan_schema(all_types(read_stage_catalog(options)));
  if (!text.ends_with('\n')) {
    text += '\n';
  }
  write_output(file, text, plugin_files(options.plugins));
  return kDone;
}

}  // namespace

void add_schema(CLI::App& app, Command& chosen) {
  CLI::App& command =
      add_command(app, "schema", "Print a JSON Schema of plan files for editors; name it in the plan as \"$schema\"",
                  "  pystream-coord schema -o pystream.schema.json\n"
                  "  pystream-coord schema --plugin ./libmine.so");
  auto options = std::make_shared<CatalogOptions>();
  auto file = std::make_shared<std::string>();
  add_catalog_options(command, *options);
  command.add_option("-o,--output", *file, "Write to this file instead of standard output")->type_name("FILE");
  command.callback([options, file, &chosen] { chosen = [options, file] { return schema(*options, *file); }; });
}

}  // namespace pystream::cli
