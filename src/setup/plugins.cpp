#include "setup/plugins.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <pystream/error.hpp>
#include <sstream>
#include <utility>

#include "setup/places.hpp"

namespace pystream::setup {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPathVariable = "PYSTREAM_PLUGIN_PATH";

std::vector<fs::path> folders_of_variable() {
  std::vector<fs::path> folders;
  if (const char* path = std::getenv(kPathVariable); path != nullptr) {
    std::istringstream entries(path);
    for (std::string folder; std::getline(entries, folder, ':');) {
      if (!folder.empty()) {
        folders.push_back(fs::absolute(folder));
      }
    }
  }
  return folders;
}

/// Of a program that stands in `program`.
std::vector<fs::path> plugin_folders(const fs::path& program) {
  std::vector<fs::path> folders = folders_of_variable();
  const auto add = [&](const fs::path& folder) {
    if (!folder.empty() && std::find(folders.begin(), folders.end(), folder) == folders.end()) {
      folders.push_back(folder);
    }
  };
  add(program);
  std::ranges::for_each(folders_in(program), add);
  std::ranges::for_each(bundled_plugin_folders(), add);
  return folders;
}

/// "  /opt/plugins (of PYSTREAM_PLUGIN_PATH; is no folder)".
std::string list_of(const std::vector<fs::path>& folders) {
  const std::vector<fs::path> chosen = folders_of_variable();
  std::string text;
  for (const fs::path& folder : folders) {
    text += "\n  " + folder.string();
    if (std::ranges::find(chosen, folder) != chosen.end()) {
      std::error_code error;
      text += std::string(" (of ") + kPathVariable + (fs::is_directory(folder, error) ? ")" : "; is no folder)");
    }
  }
  return text;
}

}  // namespace

std::string find_plugin(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    if (!fs::exists(name)) {
      throw Error("plugin \"" + name + "\" does not exist");
    }
    return fs::absolute(name).string();
  }
  const std::vector<fs::path> folders = plugin_folders(program_folder());
  std::error_code error;
  for (const fs::path& folder : folders) {
    if (fs::exists(folder / name, error)) {
      return (folder / name).string();
    }
  }
  throw Error("plugin \"" + name + "\" was not found; looked in" + list_of(folders) +
              (name == kCorePlugin ? "\nit holds the bundled stages; set PYSTREAM_PLUGIN_PATH to its folder"
                                   : "\nname it with its path, or set PYSTREAM_PLUGIN_PATH to its folder"));
}

std::vector<fs::path> plugin_files(const fs::path& program_folder) {
  std::map<std::string, fs::path> found;
  for (const fs::path& folder : plugin_folders(program_folder)) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      if (entry.path().extension() == ".so" && entry.is_regular_file(error)) {
        found.emplace(entry.path().filename().string(), entry.path());
      }
    }
  }
  found.erase(kCorePlugin);
  found.erase("libpystream.so");
  std::vector<fs::path> files;
  for (auto& [name, path] : found) {
    files.push_back(std::move(path));
  }
  return files;
}

void load_plugin(const std::string& path) {
  if (::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) == nullptr) {
    const char* why = ::dlerror();
    throw Error("plugin \"" + path + "\" cannot be loaded: " + (why != nullptr ? why : "unknown reason"));
  }
  if (!registration_errors().empty()) {
    throw Error("plugin \"" + path + "\": " + registration_errors().back());
  }
}

std::vector<StageType> catalog() {
  std::vector<StageType> types;
  for (const StageType* type : registered_stage_types()) {
    types.push_back(*type);
  }
  return types;
}

}  // namespace pystream::setup
