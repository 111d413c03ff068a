#include "api/channel.hpp"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include "base/codec.hpp"
#include "base/system_error.hpp"

namespace pystream::api {
namespace {

constexpr std::size_t kLongestText = 8192;
constexpr int kMostUnread = 64 << 10;  ///< bytes, as the kernel counts them; the socket holds some three times as much

}  // namespace

std::pair<Channel, Channel> Channel::make_pair() {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()) != 0) {
    base::throw_errno("cannot connect to the coordinator");
  }
  return {Channel(base::UniqueFd(fds[0])), Channel(base::UniqueFd(fds[1]))};
}

bool Channel::send(const Message& message) {
  return try_send(message) || errno == EAGAIN;
}

bool Channel::send_report(const std::string& text) {
  return try_send_aside({.kind = Message::Kind::report, .reason = {.text = text}});
}

bool Channel::send_line(const std::string& worker, const std::string& text) {
  return try_send_aside({.kind = Message::Kind::line, .reason = {.stage = worker, .text = text}});
}

bool Channel::try_send_aside(Message message) {
  int unread = 0;
  return ::ioctl(fd_.get(), SIOCOUTQ, &unread) == 0 && unread <= kMostUnread && try_send(std::move(message));
}

bool Channel::try_send(Message message) {
  message.reason.text.resize(std::min(message.reason.text.size(), kLongestText));
  const std::string bytes = base::encode(message);
  ssize_t sent = 0;
  do {
    sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent >= 0;
}

std::optional<Message> Channel::receive() {
  std::string buffer;
  ssize_t got = 0;
  do {
    got = ::recv(fd_.get(), nullptr, 0, MSG_PEEK | MSG_TRUNC);  // the size of the next message
    buffer.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    got = got > 0 ? ::recv(fd_.get(), buffer.data(), buffer.size(), 0) : got;
  } while (got < 0 && errno == EINTR);
  if (got == 0 || (got < 0 && errno != EAGAIN)) {
    closed_ = true;
  }
  return got > 0 ? std::optional(base::decode<Message>(buffer)) : std::nullopt;
}

}  // namespace pystream::api
