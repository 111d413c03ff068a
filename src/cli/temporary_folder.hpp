#pragma once

#include <filesystem>
#include <string>

namespace pystream::cli {

/// A new folder among the temporary ones of this machine ($TMPDIR), which goes with all that is in it.
class TemporaryFolder {
 public:
  /// Throws std::system_error if it cannot be made.
  explicit TemporaryFolder(const std::string& purpose);
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace pystream::cli
