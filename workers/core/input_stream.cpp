#include "core/input_stream.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <pystream/stage.hpp>
#include <utility>

namespace pystream::core {
namespace {

/// A signal between the look at draining() and poll() would be missed: no wait is longer than this.
constexpr int kLookAgainMs = 100;

}  // namespace

InputStream::InputStream(std::string who, const std::string& path) : who_(std::move(who)) {
  if (path == "-") {
    name_ = "standard input";
    fd_ = STDIN_FILENO;
  } else {
    name_ = path;
    // A FIFO without a writer must not hold up the start: it is waited for in read().
    owned_ = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!owned_.valid()) {
      throw_errno(who_ + ": cannot open " + name_, errno,
                  "\"path\" must be a file that can be read, or \"-\" for standard input");
    }
    fd_ = owned_.get();
  }
  struct stat info {};
  if (::fstat(fd_, &info) != 0) {
    throw_errno(who_ + ": cannot use " + name_, errno, "it must be open");
  }
  if (S_ISDIR(info.st_mode)) {
    throw Error(who_ + ": " + name_ +
                " is a directory; \"path\" must be a file (the source \"files\" reads directories)");
  }
  if (S_ISREG(info.st_mode)) {
    const off_t here = ::lseek(fd_, 0, SEEK_CUR);
    seekable_ = here >= 0;
    offset_ = seekable_ ? static_cast<std::uint64_t>(here) : 0;
  }
}

InputStream::Result InputStream::read(std::span<std::byte> to) {
  if (!seekable_) {
    return read_waiting(to);
  }
  while (true) {
    const ssize_t got = ::pread(fd_, to.data(), to.size(), static_cast<off_t>(offset_));
    if (got > 0) {
      offset_ += static_cast<std::uint64_t>(got);
      return {Status::data, static_cast<std::size_t>(got)};
    }
    if (got == 0) {
      return {Status::end};
    }
    if (errno != EINTR) {
      throw_errno(who_ + ": cannot read " + name_ + " at byte " + std::to_string(offset_), errno);
    }
  }
}

InputStream::Result InputStream::read_waiting(std::span<std::byte> to) {
  while (!draining()) {
    pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
    const int count = ::poll(&ready, 1, kLookAgainMs);
    if (count < 0 && errno == EINTR) {
      return {Status::interrupted};
    }
    if (count == 0) {
      continue;
    }
    const ssize_t got = ::read(fd_, to.data(), to.size());
    if (got > 0) {
      offset_ += static_cast<std::uint64_t>(got);
      return {Status::data, static_cast<std::size_t>(got)};
    }
    if (got == 0) {
      return {Status::end};
    }
    if (errno == EINTR) {
      return {Status::interrupted};
    }
    if (errno != EAGAIN) {
      throw_errno(who_ + ": cannot read " + name_ + " after " + std::to_string(offset_) + " bytes", errno);
    }
  }
  return {Status::interrupted};
}

void InputStream::resume(StreamCursor& cursor) {
  if (!seekable_) {
    ++cursor.lost;
    offset_ = cursor.offset;
    std::fprintf(stderr,
                 "%s: restarted on %s, which cannot be read again: what was read after byte %llu and not committed "
                 "is lost; read from a regular file to lose nothing\n",
                 who_.c_str(), name_.c_str(), static_cast<unsigned long long>(cursor.offset));
    return;
  }
  if (cursor.started == 0) {
    return;
  }
  struct stat info {};
  if (::fstat(fd_, &info) != 0) {
    throw_errno(who_ + ": cannot use " + name_, errno);
  }
  if (cursor.offset > static_cast<std::uint64_t>(info.st_size)) {
    throw Error(who_ + ": " + name_ + " has " + std::to_string(info.st_size) + " bytes, but " +
                std::to_string(cursor.offset) + " were read before the restart; it must not be cut while it is read");
  }
  offset_ = cursor.offset;
}

}  // namespace pystream::core
