#pragma once

#include <filesystem>
#include <pystream/registry.hpp>
#include <string>
#include <vector>

namespace pystream::setup {

/// Loads a plugin for the rest of the process; its stage types register themselves. `path` has a slash or is a name
/// that the dynamic loader finds. Throws Error.
void load_plugin(const std::string& path);

/// Finds a plugin by a plain name such as "libpystream_opencv.so": in the folders that the environment variable
/// PYSTREAM_PLUGIN_PATH names (separated by ':', the first that has it counts), beside this program, in the folders
/// beside it, and where the bundled plugins stand. A name with a slash is a path. Throws Error that lists where it
/// looked, and which of these folders the variable named.
std::string find_plugin(const std::string& name);

/// Every plugin file in the folders that find_plugin() looks in when it runs in a program in `program_folder`, as
/// find_plugin() would choose among those of one name, in order of their names; without the core plugin.
std::vector<std::filesystem::path> plugin_files(const std::filesystem::path& program_folder);

/// Every worker loads it.
inline constexpr const char* kCorePlugin = "libpystream_core.so";

/// What is registered in this process now.
std::vector<StageType> catalog();

}  // namespace pystream::setup
