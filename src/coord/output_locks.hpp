#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/unique_fd.hpp"
#include "coord/file_claims.hpp"
#include "coord/folder_hold.hpp"

namespace pystream::coord {

/// Keeps two runs from writing one file at the same time: while it lives, each file that the run writes is locked
/// (flock(2), so the lock ends with the process), and so are the names that it writes in a folder (FolderHold). A file
/// or folder that does not exist yet is made, and removed at the end if it is still empty, unless keep_made() was
/// called. Descriptors that were inherited are shared on purpose: any number of runs
/// may write there, but none may take the same file for itself.
class OutputLocks {
 public:
  /// Throws Error with the process that holds a lock. Calls `warn` if the file system has no locks.
  OutputLocks(const std::vector<FileClaim>& claims, const std::function<void(const std::string&)>& warn);
  ~OutputLocks();
  OutputLocks(const OutputLocks&) = delete;
  OutputLocks& operator=(const OutputLocks&) = delete;

  /// For a run that has not failed: its output may be empty.
  void keep_made() { made_.clear(); }

 private:
  void lock(const std::vector<FileClaim>& claims);
  void remove_unused();
  void lock_one_file(const FileClaim& claim);
  void lock_folder(const FileClaim& claim);
  void hold_name_of(const FileClaim& claim, int file, const std::string& name);
  void hold(const FolderHold& folder, const FileClaim& claim, const std::string& what);
  bool is_new(int fd, const std::string& names);
  void warn_of(const std::string& name, int error) const;

  std::function<void(const std::string&)> warn_;
  std::set<std::tuple<dev_t, ino_t, std::string>> seen_;
  std::set<std::string> addresses_;  ///< of the sockets among held_
  std::vector<base::UniqueFd> held_;
  std::vector<std::filesystem::path> made_;  ///< outermost first
};

}  // namespace pystream::coord
