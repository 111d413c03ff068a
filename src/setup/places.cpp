#include "setup/places.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <system_error>

namespace pystream::setup {
namespace {

namespace fs = std::filesystem;

/// Something whose address lies in this library.
const char kAnchor = 0;

fs::path library_folder() {
  Dl_info info{};
  if (::dladdr(&kAnchor, &info) == 0 || info.dli_fname == nullptr) {
    return {};
  }
  std::error_code error;
  return fs::canonical(info.dli_fname, error).parent_path();
}

/// Where `installed`, a folder as it was configured, stands now that the library stands where it does.
fs::path moved(const char* installed) {
  return (library_folder() / fs::path(installed).lexically_relative(PYSTREAM_LIB_DIR)).lexically_normal();
}

/// In the build folder the library is in src, what belongs to workers beside it.
fs::path build_folder() {
  return (library_folder() / "../workers").lexically_normal();
}

}  // namespace

std::vector<fs::path> worker_folders() {
  return {program_folder(), build_folder(), moved(PYSTREAM_WORKER_DIR), PYSTREAM_WORKER_DIR};
}

std::vector<fs::path> bundled_plugin_folders() {
  std::vector<fs::path> folders = folders_in(build_folder());
  folders.push_back(moved(PYSTREAM_PLUGIN_DIR));
  folders.emplace_back(PYSTREAM_PLUGIN_DIR);
  return folders;
}

fs::path program_folder() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
}

std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> folders;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.is_directory(error) && !entry.path().filename().string().ends_with(".p")) {
      folders.push_back(entry.path());
    }
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

}  // namespace pystream::setup
