#include "worker/plugins.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <pystream/error.hpp>
#include <sstream>
#include <utility>

namespace pystream::worker {
namespace {

namespace fs = std::filesystem;

/// Of a program that stands in `program`.
std::vector<fs::path> plugin_folders(const fs::path& program) {
  std::vector<fs::path> folders;
  if (const char* path = std::getenv("PYSTREAM_PLUGIN_PATH"); path != nullptr) {
    std::istringstream entries(path);
    for (std::string folder; std::getline(entries, folder, ':');) {
      if (!folder.empty()) {
        folders.emplace_back(folder);
      }
    }
  }
  std::error_code error;
  if (!program.empty()) {
    folders.push_back(program);
    // In the build folder every plugin stands in a folder of its own: workers/core, workers/opencv, …
    for (const auto& entry : fs::directory_iterator(program, error)) {
      if (entry.is_directory() && !entry.path().filename().string().ends_with(".p")) {
        folders.push_back(entry.path());
      }
    }
  }
  folders.emplace_back(PYSTREAM_PLUGIN_DIR);
  return folders;
}

fs::path own_folder() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
}

}  // namespace

std::string find_plugin(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    if (!fs::exists(name)) {
      throw Error("plugin \"" + name + "\" does not exist");
    }
    return fs::absolute(name).string();
  }
  std::string looked;
  for (const fs::path& folder : plugin_folders(own_folder())) {
    if (fs::exists(folder / name)) {
      return (folder / name).string();
    }
    looked += "\n  " + folder.string();
  }
  throw Error("plugin \"" + name + "\" was not found; looked in" + looked +
              "\nname it with its path, or set PYSTREAM_PLUGIN_PATH");
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

}  // namespace pystream::worker
