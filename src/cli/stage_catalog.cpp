#include "cli/stage_catalog.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "cli/frame.hpp"
#include "cli/worker_program.hpp"
#include "coord/inspect.hpp"
#include "setup/plugins.hpp"

namespace pystream::cli {
namespace {

namespace fs = std::filesystem;

/// The worker's own types come with every plugin's.
void drop_known(std::vector<StageType>& types, const std::vector<StageType>& known) {
  std::erase_if(types, [&](const StageType& type) {
    return std::ranges::find(known, type.name, &StageType::name) != known.end();
  });
}

template <class OnFault>
std::vector<PluginTypes> read_plugins(const fs::path& program, const std::vector<std::string>& plugins,
                                      const std::vector<StageType>& known, OnFault on_fault) {
  std::vector<PluginTypes> out;
  for (const std::string& plugin : plugins) {
    try {
      out.push_back({fs::path(plugin).filename().string(), coord::inspect_plugins(program, std::span(&plugin, 1))});
      drop_known(out.back().types, known);
    } catch (const coord::PluginError& error) {
      on_fault(error);
    }
  }
  return out;
}

std::vector<std::string> found_files(const fs::path& program) {
  std::vector<std::string> files;
  std::ranges::transform(setup::plugin_files(program.parent_path()), std::back_inserter(files),
                         [](const fs::path& file) { return file.string(); });
  return files;
}

}  // namespace

void add_catalog_options(CLI::App& command, CatalogOptions& options) {
  command
      .add_option(
          "--plugin", options.plugins,
          "Only this plugin in addition to the bundled stage types; may be repeated (default: all that are found)")
      ->type_name("FILE")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  add_worker_program_option(command, options.worker_program);
}

std::vector<PluginTypes> read_stage_catalog(const CatalogOptions& options) {
  const fs::path program = worker_program_of(options.worker_program);
  std::vector<PluginTypes> catalog{{.plugin = {}, .types = coord::inspect_plugins(program, {})}};
  const bool named = !options.plugins.empty();
  std::ranges::move(read_plugins(program, named ? options.plugins : found_files(program), catalog.front().types,
                                 [&](const coord::PluginError& error) {
                                   if (named) {
                                     throw BadUsage(error.what());
                                   }
                                   warn(std::string(error.what()) + "\nIt is left out.");
                                 }),
                    std::back_inserter(catalog));
  return catalog;
}

std::vector<PluginTypes> found_plugins(const fs::path& worker_program, const std::vector<StageType>& known) {
  return read_plugins(worker_program, found_files(worker_program), known, [](const coord::PluginError&) {});
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
