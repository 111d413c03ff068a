#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "base/unique_fd.hpp"

/// Which descriptors a process has, and which of them its children must not keep.
namespace pystream::base {

/// The open descriptors of this process, ascending.
std::vector<int> open_fds();
/// Closes every descriptor that is not in `kept`. Async-signal-safe except for sorting its argument.
void close_all_but(std::vector<int> kept);

/// Says while it lives that processes forked by this library must not inherit a descriptor: it would keep a pipeline's
/// memory or a connection alive after its pipeline is gone. Thread-safe. Ends before the descriptor is closed.
class PrivateMark {
 public:
  PrivateMark() = default;
  explicit PrivateMark(int fd);
  PrivateMark(PrivateMark&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  PrivateMark& operator=(PrivateMark&& other) noexcept;
  ~PrivateMark() { reset(); }
  void reset();

 private:
  int fd_ = -1;
};

/// A descriptor with such a mark.
class PrivateFd {
 public:
  PrivateFd() = default;
  explicit PrivateFd(UniqueFd fd) : fd_(std::move(fd)), mark_(fd_.get()) {}
  int get() const { return fd_.get(); }
  const UniqueFd& fd() const { return fd_; }

 private:
  UniqueFd fd_;
  PrivateMark mark_;
};

/// Forks. No other thread changes the set of private descriptors meanwhile; in the child they are closed, but for
/// those in `keeps`.
int fork_without_private_fds(const std::vector<int>& keeps);

/// As many descriptors for this process as it may have at all: a coordinator holds two for each worker.
void raise_fd_limit() noexcept;
/// Undoes it, for programs of the user's, some of which do not work with many; `least` are left in any case, as far as
/// allowed. Async-signal-safe.
void lower_fd_limit(std::uint64_t least) noexcept;
/// How many descriptors this process may have now.
std::uint64_t fd_limit();

}  // namespace pystream::base
