#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "coord/file_claims.hpp"

namespace pystream::coord {

/// Keeps two runs from writing one file at the same time: while it lives, each file that the run writes is locked
/// (flock(2), so the lock ends with the process). A file that does not exist yet is made. Descriptors that were
/// inherited are shared on purpose: any number of runs may write there, but none may take the same file for itself.
class OutputLocks {
 public:
  /// Throws Error with the process that holds a lock. `warn` is told where the file system has no locks.
  OutputLocks(const std::vector<FileClaim>& claims, const std::function<void(const std::string&)>& warn);

 private:
  std::vector<base::UniqueFd> files_;
};

}  // namespace pystream::coord
