#pragma once

#include <sys/types.h>

#include <functional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/unique_fd.hpp"
#include "coord/file_claims.hpp"

namespace pystream::coord {

/// Keeps two runs from writing one file at the same time: while it lives, each file that the run writes is locked
/// (flock(2), so the lock ends with the process), and so are the names that it writes in a folder. A file or folder
/// that does not exist yet is made. Descriptors that were inherited are shared on purpose: any number of runs may write
/// there, but none may take the same file for itself.
class OutputLocks {
 public:
  /// Throws Error with the process that holds a lock. `warn` is told where the file system has no locks.
  OutputLocks(const std::vector<FileClaim>& claims, const std::function<void(const std::string&)>& warn);

 private:
  void lock_one_file(const FileClaim& claim);
  void lock_folder(const FileClaim& claim);
  bool is_new(int fd, const std::string& names);
  void warn_of(const std::string& name, int error) const;

  std::function<void(const std::string&)> warn_;
  std::set<std::tuple<dev_t, ino_t, std::string>> seen_;
  std::vector<base::UniqueFd> held_;
};

}  // namespace pystream::coord
