#include <memory>

#include "cli/commands.hpp"
#include "cli/stage_catalog.hpp"
#include "plan/plan_json.hpp"

namespace pystream::cli {
namespace {

int schema(const CatalogOptions& options) {
  std::string text = plan::plan_schema(all_types(read_stage_catalog(options)));
  if (!text.ends_with('\n')) {
    text += '\n';
  }
  print(text);
  return kDone;
}

}  // namespace

void add_schema(CLI::App& app, Command& chosen) {
  CLI::App& command = add_command(
      app, "schema", "Print a JSON Schema of plan files, for editors",
      "  pystream-coord schema > pystream.schema.json    # then in the plan: \"$schema\": \"pystream.schema.json\"\n"
      "  pystream-coord schema --plugin ./libmine.so");
  auto options = std::make_shared<CatalogOptions>();
  add_catalog_options(command, *options);
  command.callback([options, &chosen] { chosen = [options] { return schema(*options); }; });
}

}  // namespace pystream::cli
