#include "core/output_file.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <pystream/stage.hpp>
#include <utility>

#include "core/sigpipe.hpp"

namespace pystream::core {
namespace {

constexpr std::size_t kBuffer = 256 * 1024;

/// `program > log 2>&1`: what goes to standard error must not be written over or cut off.
bool shared_with_standard_error(const struct stat& file) {
  struct stat error {};
  return ::fstat(STDERR_FILENO, &error) == 0 && error.st_dev == file.st_dev && error.st_ino == file.st_ino;
}

/// Under all its names: only standard_output() finds it in every worker.
bool is_standard_output(const std::string& path) {
  return path == "-" || path == "/dev/stdout" || path == "/dev/fd/1" || path == "/proc/self/fd/1";
}

}  // namespace

OutputFile::OutputFile(std::string who, const std::string& path)
    : who_(std::move(who)), buffer_(std::make_unique<std::byte[]>(kBuffer)) {
  if (is_standard_output(path)) {
    name_ = "standard output";
    fd_ = standard_output();
  } else {
    name_ = path;
    owned_ = Descriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
    if (!owned_.valid()) {
      throw_errno(who_ + ": cannot open " + name_ + " for writing", errno, "its directory must exist and be writable");
    }
    fd_ = owned_.get();
  }
  struct stat info {};
  const int flags = ::fcntl(fd_, F_GETFL);
  if (flags < 0 || ::fstat(fd_, &info) != 0) {
    throw_errno(who_ + ": cannot use " + name_, errno, "it must be open");
  }
  appends_ = (flags & O_APPEND) != 0;
  exact_ = S_ISREG(info.st_mode) && !shared_with_standard_error(info);
  if (exact_ && !owned_.valid()) {
    const off_t here = ::lseek(fd_, 0, appends_ ? SEEK_END : SEEK_CUR);
    offset_ = here > 0 ? static_cast<std::uint64_t>(here) : 0;
  }
}

void OutputFile::start(const FileCursor& cursor) {
  started_ = true;
  if (!exact_) {
    return;
  }
  if (cursor.started == 0) {
    if (!appends_) {
      cut(offset_);
    }
    return;
  }
  struct stat info {};
  if (::fstat(fd_, &info) != 0) {
    throw_errno(who_ + ": cannot use " + name_, errno);
  }
  if (static_cast<std::uint64_t>(info.st_size) < cursor.offset) {
    throw Error(who_ + ": " + name_ + " has " + std::to_string(info.st_size) + " bytes, but " +
                std::to_string(cursor.offset) +
                " had been written before the restart; nobody else may change or remove it during a run");
  }
  cut(cursor.offset);
  offset_ = cursor.offset;
}

void OutputFile::append(std::span<const std::byte> bytes, std::span<const std::byte> tail) {
  const std::size_t size = bytes.size() + tail.size();
  if (size > kBuffer - end_) {
    write_buffer();
  }
  if (size <= kBuffer) {
    for (const std::span<const std::byte> part : {bytes, tail}) {
      if (!part.empty()) {
        std::memcpy(buffer_.get() + end_, part.data(), part.size());
        end_ += part.size();
      }
    }
    return;
  }
  const std::uint64_t before = offset_;
  std::size_t done = 0;
  try {
    write_all(bytes, done);
    write_all(tail, done);
  } catch (...) {
    if (exact_) {
      cut(before);
      offset_ = before;
    }
    throw;
  }
}

FileCursor OutputFile::flush() {
  write_buffer();
  return {.offset = offset_, .started = 1};
}

void OutputFile::finish() {
  write_buffer();
  if (exact_ && !owned_.valid()) {
    ::lseek(fd_, static_cast<off_t>(offset_), SEEK_SET);
  }
}

void OutputFile::write_buffer() {
  std::size_t done = 0;
  try {
    write_all({buffer_.get() + begin_, end_ - begin_}, done);
  } catch (...) {
    begin_ += done;
    throw;
  }
  begin_ = end_ = 0;
}

void OutputFile::write_all(std::span<const std::byte> bytes, std::size_t& done) {
  if (bytes.empty()) {
    return;
  }
  SigpipeGuard guard;
  while (!bytes.empty()) {
    const ssize_t put = exact_ ? ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset_))
                               : ::write(fd_, bytes.data(), bytes.size());
    if (put >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(put));
      done += static_cast<std::size_t>(put);
      offset_ += static_cast<std::uint64_t>(put);
    } else if (errno == EAGAIN) {
      pollfd ready{.fd = fd_, .events = POLLOUT, .revents = 0};
      ::poll(&ready, 1, -1);
    } else if (errno == EPIPE) {
      guard.note_epipe();
      throw Error(who_ + ": whoever read " + name_ + " has closed it; nothing more can be written there");
    } else if (errno != EINTR) {
      throw_errno(who_ + ": cannot write " + std::to_string(bytes.size()) + " bytes to " + name_, errno,
                  "make room or choose another place");
    }
  }
}

void OutputFile::cut(std::uint64_t size) {
  while (::ftruncate(fd_, static_cast<off_t>(size)) != 0) {
    if (errno != EINTR) {
      throw_errno(who_ + ": cannot cut " + name_ + " to " + std::to_string(size) + " bytes", errno);
    }
  }
}

}  // namespace pystream::core
