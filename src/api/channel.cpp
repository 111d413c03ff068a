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
constexpr std::size_t kLongestMessage = 128 << 10;

std::string encoded(const Message& message) {
  Message shortened = message;
  shortened.reason.text.resize(std::min(shortened.reason.text.size(), kLongestText));
  return base::encode(shortened);
}

/// Of one that is longer than the buffer what there is.
Message decoded(std::string_view bytes) {
  Message message;
  try {
    base::Decoder in(bytes);
    in(message);
  } catch (const Error&) {
  }
  return message;
}

}  // namespace

std::pair<Channel, Channel> Channel::make_pair() {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()) != 0) {
    base::throw_errno("cannot connect to the coordinator");
  }
  return {Channel(base::UniqueFd(fds[0])), Channel(base::UniqueFd(fds[1]))};
}

bool Channel::send(const Message& message) {
  const std::string bytes = encoded(message);
  ssize_t sent = 0;
  do {
    sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent >= 0 || errno == EAGAIN;
}

bool Channel::send_report(const std::string& text) {
  int unread = 0;
  if (::ioctl(fd_.get(), SIOCOUTQ, &unread) != 0 || unread > kMostUnread) {
    return false;
  }
  const std::string bytes = encoded({.kind = Message::Kind::report, .reason = {.text = text}});
  return ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0;
}

std::optional<Message> Channel::receive() {
  std::string buffer(kLongestMessage, '\0');
  ssize_t got = 0;
  do {
    got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
  } while (got < 0 && errno == EINTR);
  if (got == 0 || (got < 0 && errno != EAGAIN)) {
    closed_ = true;
  }
  return got > 0 ? std::optional(decoded(std::string_view(buffer.data(), static_cast<std::size_t>(got))))
                 : std::nullopt;
}

}  // namespace pystream::api
