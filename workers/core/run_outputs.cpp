#include "core/run_outputs.hpp"

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>
#include <system_error>
#include <vector>

#include "core/name_template.hpp"

namespace pystream::core {
namespace {

namespace fs = std::filesystem;

/// A folder in which this run writes a file for each item.
struct HeldFolder {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::string start;                  ///< of each name
  std::optional<NameTemplate> names;  ///< nullopt: it is not known whole
};

bool take_number(std::string_view& text, int base, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end == text.data() + text.size() || *end != '/') {
    return false;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return true;
}

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    const char* const digits = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() && std::from_chars(digits, digits + 2, value, 16).ptr == digits + 2) {
      out += static_cast<char>(value);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

/// From the address of the socket by which a coordinator holds a folder, as src/coord/folder_hold.hpp tells.
std::optional<HeldFolder> held_by_this_run(std::string_view address) {
  HeldFolder folder;
  std::uint64_t pid = 0;
  if (!take_number(address, 16, folder.device) || !take_number(address, 16, folder.inode) ||
      !take_number(address, 10, pid) || pid != static_cast<std::uint64_t>(::getppid()) || !address.starts_with('t')) {
    return std::nullopt;
  }
  const bool cut = address.ends_with('*');
  const std::string names = decoded(address.substr(1, address.size() - (cut ? 2 : 1)));
  folder.start = names.substr(0, names.find('{'));
  try {
    if (!cut) {
      folder.names.emplace("files", names);
    }
  } catch (const InvalidParam&) {  // a template of a stage of the user's own
  }
  return folder;
}

std::vector<HeldFolder> folders_of_this_run() {
  static constexpr std::string_view kStart = " @pystream-writes/";
  std::vector<HeldFolder> folders;
  std::ifstream sockets("/proc/net/unix");
  for (std::string line; std::getline(sockets, line);) {
    const std::size_t at = line.find(kStart);
    auto folder = at == line.npos ? std::nullopt : held_by_this_run(std::string_view(line).substr(at + kStart.size()));
    if (folder) {
      folders.push_back(std::move(*folder));
    }
  }
  return folders;
}

bool is_written_in_a_folder(const fs::path& path, const std::vector<HeldFolder>& held) {
  struct stat folder {};
  if (::stat(path.has_parent_path() ? path.parent_path().c_str() : ".", &folder) != 0) {
    return false;
  }
  const std::string name = path.filename().string();
  for (const HeldFolder& one : held) {
    if (one.device == folder.st_dev && one.inode == folder.st_ino &&
        (one.names ? one.names->may_name(name) : name.starts_with(one.start))) {
      return true;
    }
  }
  return false;
}

/// Lines such as "1: FLOCK  ADVISORY  WRITE 708 fe:00:468 0 EOF": the inodes of those that the coordinator holds.
std::vector<std::string> inodes_locked_by_this_run() {
  std::vector<std::string> inodes;
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    std::istringstream words(line);
    std::string number;
    std::string kind;
    std::string advisory;
    std::string access;
    std::string place;
    pid_t pid = 0;
    if (words >> number >> kind >> advisory >> access >> pid >> place && kind == "FLOCK" && pid == ::getppid()) {
      inodes.push_back(place.substr(place.rfind(':') + 1));
    }
  }
  return inodes;
}

/// A file system may give its device another number in /proc/locks, so a file on another one can have this inode too;
/// but that one is not locked.
bool is_locked_by_this_run(int file, const struct stat& info) {
  static const std::vector<std::string> inodes = inodes_locked_by_this_run();
  if (inodes.empty() || std::ranges::find(inodes, std::to_string(info.st_ino)) == inodes.end()) {
    return false;
  }
  // The lock is a shared one on an inherited descriptor. (Only for this look: it ends with the descriptor.)
  const bool free = ::flock(file, LOCK_EX | LOCK_NB) == 0;
  return !free || ::flock(file, LOCK_UN) != 0;
}

}  // namespace

bool is_output_of_this_run(int file, const struct stat& info, const std::string& path) {
  static const std::vector<HeldFolder> held = folders_of_this_run();
  if (is_locked_by_this_run(file, info) || (!held.empty() && is_written_in_a_folder(path, held))) {
    return true;
  }
  std::error_code error;
  const fs::path real = held.empty() ? fs::path() : fs::read_symlink("/proc/self/fd/" + std::to_string(file), error);
  return !real.empty() && is_written_in_a_folder(real, held);
}

}  // namespace pystream::core
