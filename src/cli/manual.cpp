#include <filesystem>
#include <fstream>
#include <memory>

#include "cli/command_page.hpp"
#include "cli/completion.hpp"
#include "cli/hidden_commands.hpp"
#include "cli/man_page.hpp"
#include "cli/plan_page.hpp"
#include "setup/worker_usage.hpp"

namespace pystream::cli {
namespace {

namespace fs = std::filesystem;

std::string worker_page() {
  ManPage page("pystream-worker", 1, setup::kWorkerSummary);
  page.section("Synopsis");
  page.synopsis("pystream-worker", setup::kWorkerDescribe);
  page.synopsis("pystream-worker", "--help | --version");
  page.section("Description");
  page.paragraph(setup::kWorkerText);
  page.section("Environment");
  for (const auto& [name, text] : setup::kWorkerEnvironment) {
    page.item(name, "", text);
  }
  page.see_also("pystream-coord(1), pystream-coord-stages(1), pystream-plan(5)");
  return page.text();
}

void write_page(const fs::path& file, const std::string& text) {
  std::ofstream out(file);
  out << text;
  out.close();
  if (!out) {
    throw Error("cannot write " + file.string());
  }
}

int manual(const CLI::App& app, const fs::path& folder) {
  write_page(folder / (page_name(app) + ".1"), command_page(app));
  for (const CLI::App* command : app.get_subcommands({})) {
    if (!is_hidden(*command)) {
      write_page(folder / (page_name(*command) + ".1"), command_page(*command));
    }
  }
  write_page(folder / "pystream-worker.1", worker_page());
  write_page(folder / "pystream-plan.5", plan_page());
  return kDone;
}

}  // namespace

/// The build makes the manual pages with it.
void add_manual(CLI::App& app, Command& chosen) {
  CLI::App* command = app.add_subcommand("manual", "Write the manual pages into this folder")->group("");
  const auto folder = std::make_shared<std::string>();
  command->add_option("DIR", *folder, "An existing folder")->required();
  command->callback([&app, folder, &chosen] { chosen = [&app, folder] { return manual(app, *folder); }; });
}

}  // namespace pystream::cli
