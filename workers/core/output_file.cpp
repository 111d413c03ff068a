#include "core/output_file.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <pystream/params.hpp>
#include <pystream/stage.hpp>
#include <utility>

#include "core/sigpipe.hpp"

namespace pystream::core {
namespace {

constexpr std::size_t kBuffer = 256 * 1024;
constexpr int kLookAgainMs = 50;

bool is_fifo(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISFIFO(info.st_mode);
}

}  // namespace

OutputFile::OutputFile(std::string who, const std::string& path)
    : who_(std::move(who)), buffer_(std::make_unique<std::byte[]>(kBuffer)) {
  const std::optional<int> inherited = path == "-" ? std::optional(STDOUT_FILENO) : descriptor_named(path);
  name_ = inherited == STDOUT_FILENO ? "standard output" : path;
  if (inherited) {
    fd_ = *inherited == STDOUT_FILENO ? standard_output() : *inherited;
  } else {
    open(path);
  }
  if (fd_ >= 0) {
    inspect();
  }
}

/// A FIFO that nobody reads yet must not hold up the start: it is waited for in start().
void OutputFile::open(const std::string& path) {
  owned_ = Descriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666));
  if (!owned_.valid() && errno == ENXIO && is_fifo(path)) {
    return;
  }
  if (!owned_.valid()) {
    throw_errno(who_ + ": cannot open " + name_ + " for writing", errno,
                errno == EISDIR ? "\"path\" must be a file; \"directory\" is for a file per item"
                                : "its directory must exist and be writable");
  }
  const int flags = ::fcntl(owned_.get(), F_GETFL);
  if (flags < 0 || ::fcntl(owned_.get(), F_SETFL, flags & ~O_NONBLOCK) != 0) {
    throw_errno(who_ + ": cannot use " + name_, errno);
  }
  fd_ = owned_.get();
}

void OutputFile::wait_for_reader() {
  if (fd_ < 0) {
    std::fprintf(stderr, "%s: waiting until somebody reads the FIFO %s\n", who_.c_str(), name_.c_str());
  }
  while (fd_ < 0) {
    if (draining()) {
      throw Error(who_ + ": nobody has opened the FIFO " + name_ + " for reading; nothing could be written there");
    }
    ::poll(nullptr, 0, kLookAgainMs);
    open(name_);
    if (fd_ >= 0) {
      inspect();
    }
  }
}

void OutputFile::inspect() {
  struct stat info {};
  const int flags = ::fcntl(fd_, F_GETFL);
  if (flags < 0 || ::fstat(fd_, &info) != 0) {
    throw_errno(who_ + ": cannot use " + name_, errno, "it must be open");
  }
  if ((flags & O_ACCMODE) == O_RDONLY) {
    throw Error(who_ + ": " + name_ + " is open for reading only; it must be open for writing");
  }
  appends_ = (flags & O_APPEND) != 0;
  if (S_ISREG(info.st_mode)) {
    kind_ = owned_.valid() ? Kind::own : Kind::shared;
  }
  device_ = kind_ == Kind::own ? info.st_dev : 0;
  inode_ = kind_ == Kind::own ? info.st_ino : 0;
}

void OutputFile::start() {
  wait_for_reader();
  if (kind_ == Kind::own) {
    cut(0);
  }
  offset_ = kind_ == Kind::shared ? position() : 0;
}

void OutputFile::resume(const FileCursor& cursor) {
  wait_for_reader();
  refuse_another_file(cursor);
  switch (kind_) {
    case Kind::own:
      return resume_own(cursor);
    case Kind::shared:
      return resume_shared(cursor);
    case Kind::stream:
      offset_ = cursor.offset;
      warn_of_doubles("it is no regular file");
  }
}

/// A file that somebody has put in the place of ours must not be cut.
void OutputFile::refuse_another_file(const FileCursor& cursor) const {
  if (cursor.inode != 0 && (cursor.device != device_ || cursor.inode != inode_)) {
    throw Error(who_ + ": " + name_ + " is not the file that was written before the restart (" +
                std::to_string(cursor.offset) +
                " bytes); it is left as it is. Nobody else may move, remove or replace the output during a run");
  }
}

void OutputFile::resume_own(const FileCursor& cursor) {
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

void OutputFile::resume_shared(const FileCursor& cursor) {
  const std::uint64_t end = position();
  others_ = cursor.shared != 0 || end < cursor.offset;
  offset_ = others_ ? end : cursor.offset;
  if (others_) {
    warn_of_doubles("others write there too");
  } else if (end > cursor.offset) {
    const std::string same_file = "/proc/self/fd/" + std::to_string(fd_);
    Descriptor readable(::open(same_file.c_str(), O_RDONLY | O_CLOEXEC));
    if (readable.valid()) {
      tail_ = WrittenTail(std::move(readable), cursor.offset, end);
    } else {
      offset_ = end;
      warn_of_doubles(std::string("it cannot be read: ") + std::strerror(errno));
    }
  }
}

void OutputFile::warn_of_doubles(const std::string& reason) const {
  std::fprintf(stderr,
               "%s: restarted; what was written to %s after the last commit is written once more, and nothing is "
               "removed there (%s)\n",
               who_.c_str(), name_.c_str(), reason.c_str());
}

void OutputFile::append(std::span<const std::byte> bytes, std::span<const std::byte> tail) {
  if (!tail_.over() && is_written(bytes, tail)) {
    return;
  }
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
    if (kind_ == Kind::own) {
      cut(before);
      offset_ = before;
    }
    throw;
  }
}

/// True if a predecessor wrote this item. The last thing that it wrote may have been a part of an item: the rest
/// follows, unless somebody else has written in between; then the item is written as a whole.
bool OutputFile::is_written(std::span<const std::byte> bytes, std::span<const std::byte> tail) {
  std::size_t there = tail_.skip(bytes);
  there += there == bytes.size() ? tail_.skip(tail) : 0;
  if (there < bytes.size() + tail.size() && (tail_.differs() || position() != offset_ + there)) {
    warn_of_doubles("others wrote there too");
    return false;
  }
  offset_ += there;
  std::size_t done = 0;
  write_all(bytes.subspan(std::min(there, bytes.size())), done);
  write_all(tail.subspan(std::max(there, bytes.size()) - bytes.size()), done);
  return true;
}

FileCursor OutputFile::flush() {
  write_buffer();
  return {.offset = offset_, .started = 1, .shared = others_ ? 1U : 0U, .device = device_, .inode = inode_};
}

void OutputFile::close() {
  fd_ = -1;
  if (const int error = owned_.close(); error != 0) {
    throw_errno(who_ + ": cannot write all of " + name_, error, "what was written last may be missing");
  }
}

void OutputFile::write_buffer() {
  const std::uint64_t before = offset_;
  std::size_t done = 0;
  try {
    write_all({buffer_.get() + begin_, end_ - begin_}, done);
  } catch (...) {
    if (kind_ == Kind::own) {
      cut(before);  // the buffer began with a whole item
      offset_ = before;
    } else {
      begin_ += done;
    }
    throw;
  }
  begin_ = end_ = 0;
}

void OutputFile::write_all(std::span<const std::byte> bytes, std::size_t& done) {
  if (bytes.empty()) {
    return;
  }
  SigpipeGuard guard;
  if (kind_ == Kind::shared) {
    note_others();
  }
  while (!bytes.empty()) {
    const ssize_t put = write_some(bytes);
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

ssize_t OutputFile::write_some(std::span<const std::byte> bytes) {
  return kind_ == Kind::own ? ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset_))
                            : ::write(fd_, bytes.data(), bytes.size());
}

/// Whoever else writes to the file moves the place where the next byte goes.
void OutputFile::note_others() {
  const std::uint64_t here = position();
  others_ = others_ || here != offset_;
  offset_ = here;
}

/// Where the next byte goes that is written to an inherited descriptor.
std::uint64_t OutputFile::position() const {
  const off_t here = ::lseek(fd_, 0, appends_ ? SEEK_END : SEEK_CUR);
  if (here < 0) {
    throw_errno(who_ + ": cannot find the end of " + name_, errno);
  }
  return static_cast<std::uint64_t>(here);
}

void OutputFile::cut(std::uint64_t size) {
  while (::ftruncate(fd_, static_cast<off_t>(size)) != 0) {
    if (errno != EINTR) {
      throw_errno(who_ + ": cannot cut " + name_ + " to " + std::to_string(size) + " bytes", errno);
    }
  }
}

}  // namespace pystream::core
