#pragma once

#include <unistd.h>

#include <cerrno>
#include <pystream/error.hpp>
#include <string>
#include <system_error>
#include <utility>

namespace pystream::core {

/// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Descriptor() { reset(); }

  int get() const noexcept { return fd_; }
  bool valid() const noexcept { return fd_ >= 0; }
  /// 0 or an errno. Some file systems (NFS, quotas) tell only here that something could not be written.
  int close() noexcept {
    const int fd = std::exchange(fd_, -1);
    return fd < 0 || ::close(fd) == 0 || errno == EINTR ? 0 : errno;
  }
  void reset() noexcept {
    if (fd_ >= 0) {
      ::close(fd_);
      fd_ = -1;
    }
  }

 private:
  int fd_ = -1;
};

/// Throws "<what>: <text of the error>; <advice>".
[[noreturn]] inline void throw_errno(const std::string& what, int error, const std::string& advice = {}) {
  throw Error(what + ": " + std::generic_category().message(error) + (advice.empty() ? "" : "; " + advice));
}

}  // namespace pystream::core
