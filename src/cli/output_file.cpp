#include "cli/output_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/unique_fd.hpp"
#include "cli/frame.hpp"

namespace pystream::cli {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const std::string& file) {
  throw Error("cannot write " + file + ": " + std::strerror(errno));
}

void write_to(const std::string& path, const std::string& file, std::string_view text) {
  base::UniqueFd opened(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!opened) {
    fail(file);
  }
  while (!text.empty()) {
    const ssize_t put = ::write(opened.get(), text.data(), text.size());
    if (put < 0 && errno != EINTR) {
      fail(file);
    }
    text.remove_prefix(put > 0 ? static_cast<std::size_t>(put) : 0);
  }
}

}  // namespace

void write_output(const std::string& file, std::string_view text) {
  if (file.empty() || file == "-") {
    print(text);
    return;
  }
  std::error_code error;
  if (fs::exists(file, error) && !fs::is_regular_file(fs::symlink_status(file, error))) {
    write_to(file, file, text);  // a device, a pipe, a link: nothing to put in its place
    return;
  }
  const std::string partial = file + ".partial" + std::to_string(::getpid());
  try {
    write_to(partial, file, text);
    if (::rename(partial.c_str(), file.c_str()) != 0) {
      fail(file);
    }
  } catch (...) {
    ::unlink(partial.c_str());
    throw;
  }
}

}  // namespace pystream::cli
