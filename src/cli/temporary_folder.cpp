#include "cli/temporary_folder.hpp"

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "base/system_error.hpp"

namespace pystream::cli {

namespace fs = std::filesystem;

TemporaryFolder::TemporaryFolder(const std::string& purpose) {
  std::error_code error;
  const fs::path place = fs::temp_directory_path(error);
  std::string name = (place / ("pystream-" + purpose + "-XXXXXX")).string();
  if (error || ::mkdtemp(name.data()) == nullptr) {
    const char* variable = std::getenv("TMPDIR");
    const std::string where = variable != nullptr ? std::string("TMPDIR=") + variable : "/tmp";
    errno = error ? error.value() : errno;
    base::throw_errno("cannot make a temporary folder in " + where);
  }
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code error;
  fs::remove_all(path_, error);
}

}  // namespace pystream::cli
