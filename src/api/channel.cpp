#include "api/channel.hpp"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/system_error.hpp"

namespace pystream::api {
namespace {

constexpr std::size_t kLongestText = 8192;
constexpr int kMostUnread = 64 << 10;  ///< bytes, as the kernel counts them; the socket holds some three times as much
constexpr std::size_t kLongestMessage = 128 << 10;

class Writer {
 public:
  template <class T>
  void put(const T& value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  void put(const std::string& text) {
    const auto size = static_cast<std::uint32_t>(std::min(text.size(), kLongestText));
    put(size);
    bytes_.append(text, 0, size);
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

/// What is missing reads as zero; both ends are one program.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}
  template <class T>
  T get() {
    T value{};
    if (left_.size() >= sizeof(T)) {
      std::memcpy(&value, left_.data(), sizeof(T));
      left_.remove_prefix(sizeof(T));
    }
    return value;
  }
  std::string text() {
    const std::size_t size = std::min<std::size_t>(get<std::uint32_t>(), left_.size());
    std::string text(left_.substr(0, size));
    left_.remove_prefix(size);
    return text;
  }

 private:
  std::string_view left_;
};

std::string encode(const Message& message) {
  Writer out;
  out.put(message.kind);
  out.put(message.reason.stage);
  out.put(message.reason.signal);
  out.put(message.reason.item.has_value());
  out.put(message.reason.item.value_or(0));
  out.put(message.reason.text);
  out.put(static_cast<std::uint32_t>(message.workers.size()));
  for (const Message::Worker& worker : message.workers) {
    out.put(worker.pid);
    out.put(worker.restarts);
  }
  out.put(static_cast<std::uint32_t>(message.figures.size()));
  for (const Message::Figures& figures : message.figures) {
    out.put(figures.key);
    out.put(figures.latency_s);
    out.put(figures.items_per_s);
  }
  return out.bytes();
}

Message decode(std::string_view bytes) {
  Reader in(bytes);
  Message message{.kind = in.get<Message::Kind>()};
  message.reason.stage = in.text();
  message.reason.signal = in.get<int>();
  const bool has_item = in.get<bool>();
  const auto item = in.get<std::uint64_t>();
  if (has_item) {
    message.reason.item = item;
  }
  message.reason.text = in.text();
  const auto workers = std::min<std::size_t>(in.get<std::uint32_t>(), kLongestMessage / sizeof(Message::Worker));
  for (std::size_t i = 0; i < workers; ++i) {
    const auto pid = in.get<pid_t>();
    message.workers.push_back({.pid = pid, .restarts = in.get<std::uint32_t>()});
  }
  const auto keys = std::min<std::size_t>(in.get<std::uint32_t>(), kLongestMessage / sizeof(double));
  for (std::size_t i = 0; i < keys; ++i) {
    std::string key = in.text();
    const auto latency_s = in.get<double>();
    message.figures.push_back({.key = std::move(key), .latency_s = latency_s, .items_per_s = in.get<double>()});
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
  const std::string bytes = encode(message);
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
  const std::string bytes = encode({.kind = Message::Kind::report, .reason = {.text = text}});
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
  return got > 0 ? std::optional(decode(std::string_view(buffer.data(), static_cast<std::size_t>(got)))) : std::nullopt;
}

}  // namespace pystream::api
