#include "core/run_outputs.hpp"

#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace pystream::core {

/// Lines such as "1: FLOCK  ADVISORY  WRITE 708 fe:00:468 0 EOF". A file system may give its device another number
/// there.
bool is_output_of_this_run(const struct stat& file) {
  const std::string inode = ":" + std::to_string(file.st_ino);
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    std::istringstream words(line);
    std::string number;
    std::string kind;
    std::string advisory;
    std::string access;
    std::string place;
    pid_t pid = 0;
    if (words >> number >> kind >> advisory >> access >> pid >> place && kind == "FLOCK" && pid == ::getppid() &&
        place.ends_with(inode)) {
      return true;
    }
  }
  return false;
}

}  // namespace pystream::core
