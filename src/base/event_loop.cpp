#include "base/event_loop.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/clock.hpp"
#include "base/system_error.hpp"

namespace pystream::base {

EventLoop::EventLoop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_) {
    throw_errno("cannot create an event loop");
  }
}

void EventLoop::add(int fd, Callback callback, For what) {
  epoll_event event{.events = what == For::reading ? EPOLLIN : EPOLLOUT, .data = {.fd = fd}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    throw_errno("cannot watch a descriptor");
  }
  callbacks_[fd] = std::move(callback);
}

void EventLoop::remove(int fd) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  callbacks_.erase(fd);
}

void EventLoop::wait(std::optional<std::chrono::nanoseconds> deadline) {
  int timeout_ms = -1;
  if (deadline) {
    const std::int64_t left_ns = deadline->count() - now_ns();
    timeout_ms = static_cast<int>(std::clamp<std::int64_t>((left_ns + 999'999) / 1'000'000, 0, 3'600'000));
  }
  std::array<epoll_event, 64> events{};
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout_ms);
  if (count < 0 && errno != EINTR) {
    throw_errno("cannot wait for events");
  }
  for (int i = 0; i < count; ++i) {
    // An earlier callback of this round may have removed it.
    if (const auto found = callbacks_.find(events[static_cast<std::size_t>(i)].data.fd); found != callbacks_.end()) {
      const Callback callback = found->second;
      callback();
    }
  }
}

}  // namespace pystream::base
