#include "coord/control_socket.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <fstream>

#include "base/system_error.hpp"

namespace pystream::coord {
namespace {

constexpr std::size_t kLongestRequest = 256;
constexpr std::size_t kLongestAnswer = 16 << 20;
constexpr int kSendBuffer = 8 << 20;
constexpr std::size_t kMostConnections = 64;

const std::string kPrefix = "pystream/";

struct Address {
  sockaddr_un address{};
  socklen_t size = 0;
};

Address address_of(uid_t user, pid_t pid) {
  Address result;
  result.address.sun_family = AF_UNIX;
  const std::string name = kPrefix + std::to_string(user) + "/" + std::to_string(pid);
  std::memcpy(result.address.sun_path + 1, name.data(), name.size());  // the zero in front makes it abstract
  result.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return result;
}

bool may_ask(int fd) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == ::getuid() || peer.uid == 0);
}

std::optional<long> number_in(std::string_view text) {
  long number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

/// User and process of a line of /proc/net/unix, if it is a coordinator's socket.
std::optional<std::pair<uid_t, pid_t>> coordinator_in(const std::string& line) {
  const auto at = line.rfind("@" + kPrefix);
  if (at == std::string::npos) {
    return std::nullopt;
  }
  const std::string_view rest = std::string_view(line).substr(at + 1 + kPrefix.size());
  const auto slash = rest.find('/');
  if (slash == std::string_view::npos) {
    return std::nullopt;
  }
  const auto user = number_in(rest.substr(0, slash));
  const auto pid = number_in(rest.substr(slash + 1));
  if (!user || !pid) {
    return std::nullopt;
  }
  return std::pair(static_cast<uid_t>(*user), static_cast<pid_t>(*pid));
}

std::vector<std::pair<uid_t, pid_t>> all_coordinators() {
  std::vector<std::pair<uid_t, pid_t>> found;
  std::ifstream file("/proc/net/unix");
  for (std::string line; std::getline(file, line);) {
    if (const auto coordinator = coordinator_in(line);
        coordinator && std::find(found.begin(), found.end(), *coordinator) == found.end()) {
      found.push_back(*coordinator);
    }
  }
  return found;
}

}  // namespace

ControlSocket::ControlSocket(base::EventLoop& loop, Answer answer)
    : loop_(loop),
      answer_(std::move(answer)),
      listener_(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  const Address address = address_of(::getuid(), ::getpid());
  if (!listener_ || ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address.address), address.size) != 0 ||
      ::listen(listener_.get(), 16) != 0) {
    base::throw_errno("cannot open the control socket");
  }
  loop_.add(listener_.get(), [this] { on_connection(); });
}

ControlSocket::~ControlSocket() {
  loop_.remove(listener_.get());
  for (const base::UniqueFd& connection : connections_) {
    loop_.remove(connection.get());
  }
}

void ControlSocket::on_connection() {
  base::UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!connection || !may_ask(connection.get()) || connections_.size() >= kMostConnections) {
    return;
  }
  ::setsockopt(connection.get(), SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof(kSendBuffer));
  const int fd = connection.get();
  connections_.push_back(std::move(connection));
  loop_.add(fd, [this, fd] { on_request(fd); });
}

void ControlSocket::on_request(int fd) {
  std::array<char, kLongestRequest> request;
  const ssize_t got = ::recv(fd, request.data(), request.size(), MSG_DONTWAIT);
  if (got > 0) {
    const std::string answer = answer_({request.data(), static_cast<std::size_t>(got)});
    // A client that does not read the answer loses it; this process never waits for one.
    [[maybe_unused]] const ssize_t put = ::send(fd, answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    return;
  }
  loop_.remove(fd);
  std::erase_if(connections_, [&](const base::UniqueFd& connection) { return connection.get() == fd; });
}

std::vector<pid_t> running_coordinators() {
  std::vector<pid_t> pids;
  for (const auto& [user, pid] : all_coordinators()) {
    if (user == ::getuid() || ::getuid() == 0) {
      pids.push_back(pid);
    }
  }
  std::sort(pids.begin(), pids.end());
  return pids;
}

std::optional<std::string> ask_coordinator(pid_t pid, std::string_view request, int timeout_ms) {
  for (const auto& [user, coordinator] : all_coordinators()) {
    if (coordinator != pid) {
      continue;
    }
    const base::UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    const timeval timeout{.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));  // connect() too waits no longer
    const Address address = address_of(user, pid);
    if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.address), address.size) != 0) {
      continue;
    }
    // Any user may bind an abstract name; only the user's own coordinator is trusted.
    ucred peer{};
    socklen_t size = sizeof(peer);
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.uid != user) {
      continue;
    }
    std::string answer(kLongestAnswer, '\0');
    if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) > 0) {
      const ssize_t got = ::recv(fd.get(), answer.data(), answer.size(), 0);
      if (got > 0) {
        answer.resize(static_cast<std::size_t>(got));
        return answer;
      }
    }
  }
  return std::nullopt;
}

}  // namespace pystream::coord
