#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <pystream/registry.hpp>
#include <string>
#include <vector>

namespace pystream::cli {

struct CatalogOptions {
  std::vector<std::string> plugins;  ///< empty: every plugin in the plugin folders
  std::string worker_program;
};

/// Declares --plugin and --worker-program.
void add_catalog_options(CLI::App& command, CatalogOptions& options);

/// The stage types of one plugin.
struct PluginTypes {
  std::string plugin;  ///< file name; empty: what the worker program has by itself
  std::vector<StageType> types;
};

/// The worker's own types first. A plugin that is named and does not work is BadUsage; one that was only found in a
/// folder is left out with a warning.
std::vector<PluginTypes> read_stage_catalog(const CatalogOptions& options);

/// What the plugins in the plugin folders have beyond `known`, without messages about those that do not work.
std::vector<PluginTypes> found_plugins(const std::filesystem::path& worker_program,
                                       const std::vector<StageType>& known);

/// All of them in one list, by name; of two of one name the first.
std::vector<StageType> all_types(const std::vector<PluginTypes>& catalog);

}  // namespace pystream::cli
