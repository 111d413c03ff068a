#pragma once

#include <filesystem>
#include <vector>

/// Where the parts of this installation stand, told from where this library itself is: an installed tree may be moved
/// as a whole, and a build folder works without being installed.
namespace pystream::setup {

/// Folders that may hold the worker program, the likeliest first.
std::vector<std::filesystem::path> worker_folders();
/// Folders that may hold the bundled plugins, the likeliest first.
std::vector<std::filesystem::path> bundled_plugin_folders();

/// The folder of the program that this process runs; empty if it is not known.
std::filesystem::path program_folder();

/// The folders in `folder`, as the build folder has one for each plugin.
std::vector<std::filesystem::path> folders_in(const std::filesystem::path& folder);

}  // namespace pystream::setup
