#include "profile/wire.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/clock.hpp"

namespace pystream::profile {
namespace {

constexpr std::size_t kLongestMessage = std::size_t{1} << 30;

bool wait_for(int fd, short what, int timeout_ms) {
  pollfd poll{.fd = fd, .events = what, .revents = 0};
  int result = 0;
  do {
    result = ::poll(&poll, 1, timeout_ms);
  } while (result < 0 && errno == EINTR);
  return result > 0;
}

}  // namespace

bool Channel::send(MessageType type, std::string_view body, int timeout_ms) {
  std::string bytes;
  const auto size = static_cast<std::uint64_t>(body.size());
  bytes.append(reinterpret_cast<const char*>(&size), sizeof(size));
  bytes.push_back(static_cast<char>(type));
  bytes.append(body);
  std::string_view left = bytes;
  while (!left.empty()) {
    const ssize_t put = ::send(fd_.get(), left.data(), left.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put > 0) {
      left.remove_prefix(static_cast<std::size_t>(put));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (!wait_for(fd_.get(), POLLOUT, timeout_ms)) {
        closed_ = true;  // half a message is out: nothing more can follow
        return false;
      }
    } else if (errno != EINTR) {
      closed_ = true;
      return false;
    }
  }
  return true;
}

std::optional<Message> Channel::take() {
  std::uint64_t size = 0;
  constexpr std::size_t kHead = sizeof(size) + 1;
  if (buffer_.size() < kHead) {
    return std::nullopt;
  }
  std::memcpy(&size, buffer_.data(), sizeof(size));
  if (size > kLongestMessage) {
    closed_ = true;
    return std::nullopt;
  }
  if (buffer_.size() - kHead < size) {
    return std::nullopt;
  }
  Message message{.type = static_cast<MessageType>(buffer_[sizeof(size)]), .body = buffer_.substr(kHead, size)};
  buffer_.erase(0, kHead + size);
  return message;
}

std::optional<Message> Channel::receive() {
  if (auto message = take()) {
    return message;
  }
  std::array<char, 65536> chunk;
  while (!closed_) {
    const ssize_t got = ::recv(fd_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (got > 0) {
      buffer_.append(chunk.data(), static_cast<std::size_t>(got));
      if (auto message = take()) {
        return message;
      }
    } else if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
      closed_ = true;
    } else if (errno != EINTR) {
      break;
    }
  }
  return std::nullopt;
}

std::optional<Message> Channel::receive_within(int timeout_ms) {
  const std::int64_t until = base::now_ns() + std::int64_t{timeout_ms} * 1'000'000;
  while (true) {
    if (auto message = receive()) {
      return message;
    }
    const std::int64_t left_ms = (until - base::now_ns()) / 1'000'000;
    if (closed_ || left_ms <= 0 || !wait_for(fd_.get(), POLLIN, static_cast<int>(left_ms))) {
      return std::nullopt;
    }
  }
}

}  // namespace pystream::profile
