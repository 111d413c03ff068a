#include "cli/stage_catalog.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "cli/frame.hpp"
#include "cli/load_plan.hpp"
#include "coord/inspect.hpp"
#include "worker/plugins.hpp"

namespace pystream::cli {
namespace {

namespace fs = std::filesystem;

/// The types of `plugin` that are not among `known`; nothing, after a warning, if it does not work.
std::vector<StageType> types_of(const fs::path& program, const std::string& plugin, bool named,
                                const std::set<std::string>& known) {
  std::vector<StageType> types;
  try {
    types = coord::inspect_plugins(program, std::span(&plugin, 1));
  } catch (const coord::PluginError& error) {
    if (named) {
      throw BadUsage(error.what());
    }
    warn(std::string(error.what()) + "\nIt is left out.");
  }
  std::erase_if(types, [&](const StageType& type) { return known.contains(type.name); });
  return types;
}

}  // namespace

void add_catalog_options(CLI::App& command, CatalogOptions& options) {
  command
      .add_option("--plugin", options.plugins,
                  "Only this plugin beside the worker's own stage types; may be repeated (default: every plugin found)")
      ->type_name("FILE")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  add_worker_program_option(command, options.worker_program);
}

std::vector<PluginTypes> read_stage_catalog(const CatalogOptions& options) {
  const fs::path program = worker_program_of(options.worker_program);
  std::vector<PluginTypes> catalog{{.plugin = {}, .types = coord::inspect_plugins(program, {})}};
  std::set<std::string> known;
  for (const StageType& type : catalog.front().types) {
    known.insert(type.name);
  }
  const bool named = !options.plugins.empty();
  std::vector<std::string> plugins = options.plugins;
  if (!named) {
    std::ranges::transform(worker::plugin_files(program.parent_path()), std::back_inserter(plugins),
                           [](const fs::path& file) { return file.string(); });
  }
  for (const std::string& plugin : plugins) {
    catalog.push_back({fs::path(plugin).filename().string(), types_of(program, plugin, named, known)});
  }
  return catalog;
}

std::vector<StageType> all_types(const std::vector<PluginTypes>& catalog) {
  std::map<std::string, StageType> types;
  for (const PluginTypes& plugin : catalog) {
    for (const StageType& type : plugin.types) {
      types.emplace(type.name, type);
    }
  }
  std::vector<StageType> out;
  for (auto& [name, type] : types) {
    out.push_back(std::move(type));
  }
  return out;
}

}  // namespace pystream::cli
