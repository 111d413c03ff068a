#include "cli/output_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <pystream/params.hpp>
#include <utility>

#include "cli/frame.hpp"

namespace pystream::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kMostLinks = 40;  // as the kernel follows

/// The standard descriptor that has this file open already, as in `-o out.txt > out.txt`.
std::optional<int> standard_descriptor_of(const struct stat& status) {
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    struct stat open {};
    if (::fstat(fd, &open) == 0 && open.st_dev == status.st_dev && open.st_ino == status.st_ino) {
      return fd;
    }
  }
  return std::nullopt;
}

/// Where the name leads to; it need not be there.
fs::path behind_links(fs::path path) {
  std::error_code error;
  for (int i = 0; i < kMostLinks && fs::is_symlink(path, error); ++i) {
    path = path.parent_path() / fs::read_symlink(path);
  }
  return path;
}

fs::path folder_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

bool is_file(const fs::path& path, const struct stat& status) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && info.st_dev == status.st_dev && info.st_ino == status.st_ino;
}

}  // namespace

OutputFile::OutputFile(std::string file, Existing existing, const std::vector<fs::path>& read)
    : file_(std::move(file)), existing_(existing) {
  if (prints()) {
    return;
  }
  std::optional<int> open = descriptor_named(file_);  // opening it would begin at the front of the file again
  struct stat status {};
  const bool exists = !open && ::stat(file_.c_str(), &status) == 0;
  if (exists && existing_ == Existing::refused) {
    throw BadUsage(file_ + " exists already and was not changed; name another file");
  }
  if (exists && std::ranges::any_of(read, [&](const fs::path& input) { return is_file(input, status); })) {
    throw BadUsage(file_ + " is an input of this command and would be overwritten; name another file");
  }
  if (exists && S_ISREG(status.st_mode)) {
    open = standard_descriptor_of(status);
  }
  if (open) {
    fd_.reset(::fcntl(*open, F_DUPFD_CLOEXEC, 3));
  } else if (exists && !S_ISREG(status.st_mode)) {
    fd_.reset(::open(file_.c_str(), O_WRONLY | O_CLOEXEC));
  } else {
    target_ = behind_links(file_);
    open_beside();
  }
  if (!fd_) {
    fail();
  }
}

OutputFile::~OutputFile() {
  if (!partial_.empty()) {
    ::unlink(partial_.c_str());
  }
}

/// Without a name where the file system can do that: whatever ends this process then leaves nothing behind.
void OutputFile::open_beside() {
  if (::access(target_.c_str(), W_OK) != 0 && errno != ENOENT) {
    return;  // renaming would replace a file that must not be written
  }
  fd_.reset(::open(folder_of(target_).c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666));
  if (!fd_ && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
    const fs::path name = name_beside();
    fd_.reset(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    partial_ = fd_ ? name : fs::path();
  }
}

fs::path OutputFile::name_beside() const {
  fs::path name;
  int number = 0;
  do {
    name = folder_of(target_) / (".pystream-" + std::to_string(::getpid()) + "-" + std::to_string(number++));
  } while (::access(name.c_str(), F_OK) == 0);
  return name;
}

void OutputFile::write(std::string_view text) {
  if (prints()) {
    print(text);
    return;
  }
  while (!text.empty()) {
    const ssize_t put = ::write(fd_.get(), text.data(), text.size());
    if (put < 0 && errno != EINTR) {
      fail();
    }
    text.remove_prefix(put > 0 ? static_cast<std::size_t>(put) : 0);
  }
}

void OutputFile::take_over_permissions() const {
  struct stat old {};
  if (::stat(target_.c_str(), &old) != 0) {
    return;
  }
  // Only root may keep the owner of a file that is another's; then the group may have to change as well.
  if (::fchown(fd_.get(), old.st_uid, old.st_gid) != 0 && errno != EPERM) {
    fail();
  }
  if (::fchmod(fd_.get(), old.st_mode & 07777U) != 0) {
    fail();
  }
}

void OutputFile::put_in_place() {
  const std::string open = "/proc/self/fd/" + std::to_string(fd_.get());
  if (partial_.empty()) {
    const fs::path name = existing_ == Existing::refused ? target_ : name_beside();
    if (::linkat(AT_FDCWD, open.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) != 0) {
      fail();
    }
    partial_ = existing_ == Existing::refused ? fs::path() : name;
  } else if (existing_ == Existing::refused && ::link(partial_.c_str(), target_.c_str()) != 0) {
    fail();
  }
  if (existing_ == Existing::replaced) {
    if (::rename(partial_.c_str(), target_.c_str()) != 0) {
      fail();
    }
    partial_.clear();
  }
}

void OutputFile::commit() {
  if (prints()) {
    return;
  }
  if (!target_.empty()) {
    take_over_permissions();
    if (::fsync(fd_.get()) != 0) {  // also finds a disk that is full only now
      fail();
    }
    put_in_place();
  }
  if (::close(fd_.release()) != 0 && errno != EINTR) {
    fail();
  }
}

void OutputFile::fail() const {
  const int error = errno;
  if (error == EEXIST && existing_ == Existing::refused) {
    throw BadUsage(file_ + " exists already and was not changed; name another file");
  }
  throw Error("cannot write " + file_ + ": " + std::strerror(error));
}

void write_output(const std::string& file, std::string_view text, const std::vector<fs::path>& read) {
  OutputFile out(file, OutputFile::Existing::replaced, read);
  out.write(text);
  out.commit();
}

}  // namespace pystream::cli
