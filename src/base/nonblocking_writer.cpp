#include "base/nonblocking_writer.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "base/clock.hpp"

namespace pystream::base {
namespace {

constexpr std::size_t kTerminalBytes = 256;  ///< a terminal that is ready takes this many

std::uint64_t lines_in(std::string_view text) {
  const auto ends = static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
  return ends + (text.empty() || text.ends_with('\n') ? 0 : 1);
}

}  // namespace

NonblockingWriter::NonblockingWriter(int fd, std::size_t most_waiting)
    : fd_(fd), most_waiting_(most_waiting), part_bytes_(PIPE_BUF) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) {
    return;  // what is written fails and is dropped
  }
  if (S_ISSOCK(info.st_mode)) {
    way_ = Way::socket;
  } else if (S_ISFIFO(info.st_mode) || (S_ISCHR(info.st_mode) && ::isatty(fd) == 1)) {
    open_anew(info.st_mode);
  }
}

/// A file description of its own, because O_NONBLOCK on the shared one affects all its users. If there is none
/// (another user's, no /proc), the look whether there is room has to do; the room may be taken between look and write.
void NonblockingWriter::open_anew(unsigned mode) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd_);
  own_.reset(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  way_ = own_ ? Way::nonblocking : Way::polled;
  if (!own_ && S_ISCHR(mode)) {
    part_bytes_ = kTerminalBytes;
  }
}

void NonblockingWriter::attach(EventLoop& loop) {
  loop_ = &loop;
  watch();
}

void NonblockingWriter::detach() {
  unwatch();
  loop_ = nullptr;
}

void NonblockingWriter::watch() {
  if (loop_ != nullptr && !watched_ && !waiting_.empty()) {
    loop_->add(
        fd(), [this] { flush(); }, EventLoop::For::writing);
    watched_ = true;
  }
}

void NonblockingWriter::unwatch() {
  if (std::exchange(watched_, false)) {
    loop_->remove(fd());
  }
}

void NonblockingWriter::write(std::string_view text) {
  if (waiting_.size() + text.size() > most_waiting_) {
    flush();
  }
  if (waiting_.size() + text.size() > most_waiting_) {
    dropped_ += lines_in(text);
    return;
  }
  waiting_.append(text);
  flush();
  watch();
}

void NonblockingWriter::write_if_read(std::string_view text) {
  if (waiting_.empty()) {
    [[maybe_unused]] const ssize_t written = put(text.substr(0, part_bytes_));
  }
}

ssize_t NonblockingWriter::put(std::string_view text) const {
  ssize_t written = 0;
  do {
    if (way_ == Way::socket) {
      written = ::send(fd(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      continue;
    }
    if (way_ == Way::polled) {
      pollfd room{.fd = fd(), .events = POLLOUT, .revents = 0};
      if (::poll(&room, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
      }
    }
    written = ::write(fd(), text.data(), text.size());
  } while (written < 0 && errno == EINTR);
  return written;
}

/// Whole lines as far as one write() may have them: a pipe keeps such a part together.
std::size_t NonblockingWriter::next_part() const {
  if (waiting_.size() <= part_bytes_) {
    return waiting_.size();
  }
  const std::size_t end = waiting_.rfind('\n', part_bytes_ - 1);
  return end == std::string::npos ? part_bytes_ : end + 1;
}

void NonblockingWriter::flush() {
  std::size_t done = 0;
  while (!waiting_.empty()) {
    const ssize_t written = put(std::string_view(waiting_).substr(0, next_part()));
    if (written < 0 && errno != EAGAIN) {
      drop_waiting();  // closed, hung up, full: it will never be read
    }
    if (written <= 0) {
      break;
    }
    waiting_.erase(0, static_cast<std::size_t>(written));
    done += static_cast<std::size_t>(written);
    if (done > most_waiting_) {
      break;  // a reader that keeps up must not keep this process from everything else
    }
  }
  if (waiting_.empty()) {
    unwatch();
  }
}

void NonblockingWriter::drop_waiting() {
  dropped_ += lines_in(waiting_);
  waiting_.clear();
}

bool NonblockingWriter::flush_within(std::optional<std::chrono::milliseconds> patience) {
  const std::uint64_t dropped = dropped_;
  const std::int64_t until = patience ? now_ns() + std::chrono::nanoseconds(*patience).count() : 0;
  for (flush(); !waiting_.empty(); flush()) {
    const std::int64_t left_ms = patience ? (until - now_ns()) / 1'000'000 : -1;
    if (patience && left_ms <= 0) {
      drop_waiting();
      unwatch();
      return false;
    }
    pollfd room{.fd = fd(), .events = POLLOUT, .revents = 0};
    ::poll(&room, 1, static_cast<int>(std::min<std::int64_t>(left_ms, 1000)));
  }
  return dropped_ == dropped;
}

}  // namespace pystream::base
