#include "core/input_stream.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <pystream/params.hpp>
#include <pystream/stage.hpp>
#include <utility>

#include "core/clock.hpp"

namespace pystream::core {
namespace {

/// A signal between the look at draining() and poll() would be missed: no wait is longer than this.
constexpr int kLookAgainMs = 100;
/// In surviving_number(), beside the bytes taken: a read was under way, which may have taken as many more as it asked
/// for.
constexpr std::uint64_t kReading = std::uint64_t{1} << 63;

}  // namespace

InputStream::InputStream(std::string who, const std::string& path) : who_(std::move(who)) {
  const std::optional<int> inherited = path == "-" ? std::optional(STDIN_FILENO) : descriptor_named(path);
  name_ = inherited == STDIN_FILENO ? "standard input" : path;
  if (inherited) {
    fd_ = *inherited;
  } else {
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
    size_ = static_cast<std::uint64_t>(info.st_size);
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
      refuse_cut();
      return {Status::end};
    }
    if (errno != EINTR) {
      throw_errno(who_ + ": cannot read " + name_ + " at byte " + std::to_string(offset_), errno);
    }
  }
}

/// At the end: the file must not be shorter than it was at the beginning.
void InputStream::refuse_cut() {
  struct stat now {};
  if (::fstat(fd_, &now) == 0 && static_cast<std::uint64_t>(now.st_size) < size_) {
    const std::string expected = std::to_string(std::exchange(size_, 0));  // told once
    throw Error(who_ + ": " + name_ + " was cut while it was read: found " + std::to_string(now.st_size) +
                " bytes, expected " + expected);
  }
}

InputStream::Result InputStream::read_waiting(std::span<std::byte> to) {
  while (!draining()) {
    pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
    const int count = ::poll(&ready, 1, waits_ ? kLookAgainMs : 0);
    if (count < 0 && errno != EINTR) {
      throw_errno(who_ + ": cannot wait for " + name_, errno);
    }
    if (count < 0 || (count == 0 && !waits_)) {
      waits_ = true;
      return {Status::interrupted};
    }
    if (count == 0) {
      continue;
    }
    if (const auto result = take(to)) {
      waits_ = false;
      return *result;
    }
  }
  return {Status::interrupted};
}

/// Takes what is there; nullopt: nothing is.
std::optional<InputStream::Result> InputStream::take(std::span<std::byte> to) {
  surviving_number().store(offset_ | kReading, std::memory_order_relaxed);
  const ssize_t got = ::read(fd_, to.data(), to.size());
  const int error = errno;
  offset_ += got > 0 ? static_cast<std::uint64_t>(got) : 0;
  surviving_number().store(offset_, std::memory_order_relaxed);
  if (got > 0) {
    return Result{Status::data, static_cast<std::size_t>(got)};
  }
  if (got == 0) {
    return Result{Status::end};
  }
  if (error == EINTR) {
    return Result{Status::interrupted};
  }
  if (error != EAGAIN) {
    throw_errno(who_ + ": cannot read " + name_ + " after " + std::to_string(offset_) + " bytes", error);
  }
  return std::nullopt;
}

InputStream::Result InputStream::read_rest(std::span<std::byte> to, Patience& patience) {
  std::int64_t wait_ns = 0;  // first without waiting: a slow machine must not lose what is there
  while (true) {
    const std::int64_t began = now_ns();
    pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
    const int count = ::poll(&ready, 1, static_cast<int>((wait_ns + 999'999) / 1'000'000));
    if (count < 0 && errno != EINTR) {  // the nudges of a drain interrupt it all the time
      throw_errno(who_ + ": cannot wait for " + name_, errno);
    }
    patience.left_ns -= wait_ns > 0 ? now_ns() - began : 0;
    const auto result = count > 0 ? take(to) : std::nullopt;
    if (result && result->status != Status::interrupted) {
      return *result;
    }
    if (patience.left_ns <= 0) {
      return {Status::interrupted};
    }
    wait_ns = patience.left_ns;
  }
}

void InputStream::leave_at(const StreamCursor& cursor) const {
  if (seekable_ && !owned_.valid() && cursor.started != 0 &&
      ::lseek(fd_, static_cast<off_t>(cursor.offset), SEEK_SET) < 0) {
    throw_errno(who_ + ": cannot set the position of " + name_ + " to byte " + std::to_string(cursor.offset), errno);
  }
}

void InputStream::report_ahead(std::uint64_t bytes) const {
  report_loss(who_ + ": the run ended before its source (--items, or a failure), and " + std::to_string(bytes) +
              " bytes behind the last item had been read from " + name_ +
              ", which cannot be read again; read from a regular file, or limit what is written there");
}

void InputStream::resume(StreamCursor& cursor) {
  if (!seekable_) {
    const std::uint64_t survived = surviving_number().load(std::memory_order_relaxed);
    const std::uint64_t taken = survived & ~kReading;
    const std::uint64_t bytes = taken - std::min(taken, cursor.offset);
    const bool perhaps_more = (survived & kReading) != 0;
    offset_ = cursor.offset;
    surviving_number().store(offset_, std::memory_order_relaxed);
    if (bytes > 0 || perhaps_more) {
      ++cursor.lost;
      report_loss(who_ + ": restarted on " + name_ + ", which cannot be read again: what was read after byte " +
                  std::to_string(cursor.offset) + " and not committed is lost, " + std::to_string(bytes) + " bytes" +
                  (perhaps_more ? " or some more" : "") + "; read from a regular file to lose nothing");
    }
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
