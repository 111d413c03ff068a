#include "profile/home.hpp"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <pystream/error.hpp>

namespace pystream::profile {
namespace {

namespace fs = std::filesystem;

/// The folder that a variable names; empty: none. A relative one would be another in each working folder.
fs::path folder_in(const char* variable) {
  const char* value = std::getenv(variable);
  const fs::path folder = value != nullptr ? value : "";
  return folder.is_absolute() ? folder : fs::path();
}

/// Where the variables and the list of users lead; empty: nowhere.
fs::path folder_at_home() {
  if (const char* chosen = std::getenv("PYSTREAM_PROFILES"); chosen != nullptr && *chosen != '\0') {
    return chosen;
  }
  if (const fs::path state = folder_in("XDG_STATE_HOME"); !state.empty()) {
    return state / "pystream";
  }
  fs::path home = folder_in("HOME");
  if (home.empty()) {
    const passwd* user = ::getpwuid(::getuid());
    home = user != nullptr && user->pw_dir != nullptr ? user->pw_dir : "";
  }
  return home.is_absolute() ? home / ".local" / "state" / "pystream" : fs::path();
}

fs::path makeshift_folder() {
  return fs::path("/tmp") / ("pystream-" + std::to_string(::getuid()));
}

}  // namespace

fs::path usual_profiler_folder() {
  if (fs::path folder = folder_at_home(); !folder.empty()) {
    return folder;
  }
  fs::path folder = makeshift_folder();
  ::mkdir(folder.c_str(), 0700);
  struct stat status {};
  if (::lstat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != ::getuid()) {
    throw ProfilingError("HOME is not set, and " + folder.string() +
                         " is no folder of this user; set PYSTREAM_PROFILES to a folder for profiles");
  }
  return folder;
}

std::string homeless_note() {
  return folder_at_home().empty() ? "HOME is not set: the profile goes to " + makeshift_folder().string() +
                                        "; PYSTREAM_PROFILES names another place"
                                  : std::string();
}

fs::path profiler_folder(const fs::path& folder) {
  return folder.empty() ? usual_profiler_folder() : folder;
}

fs::path database_in(const fs::path& folder) {
  return folder / "last_profiles.sqlite";
}

std::vector<fs::path> database_files_in(const fs::path& folder) {
  const std::string name = database_in(folder).string();
  return {name, name + "-wal", name + "-shm"};
}

}  // namespace pystream::profile
