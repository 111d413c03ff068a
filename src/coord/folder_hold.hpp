#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pystream::coord {

/// The names that a run writes in a folder. A folder can only be locked as a whole, and runs with different names may
/// write into it together. So a run holds a socket, and the names stand in its abstract address, where every process
/// can read them (/proc/net/unix): "pystream-writes/801/2f3a/4711/t{sequence:06}.png". The worker's part of this is
/// workers/core/run_outputs.cpp.
struct FolderHold {
  dev_t device = 0;
  ino_t inode = 0;
  long pid = 0;           ///< of the coordinator
  bool one_file = false;  ///< a file that has its own lock: `names` is its name, and no template
  bool cut = false;       ///< an address is short: anything may follow `names`
  std::string names;

  /// At most as long as an address may be.
  std::string address() const;
  /// nullopt: another kind of socket.
  static std::optional<FolderHold> from_address(std::string_view address);
  /// Could one write what the other does? Not for two single files: those have locks of their own.
  bool meets(const FolderHold& other) const;
};

/// The addresses of all folders that runs hold, also of this one. nullopt with errno: they cannot be read.
std::optional<std::vector<std::string>> held_folders();

}  // namespace pystream::coord
