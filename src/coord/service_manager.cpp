#include "coord/service_manager.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "base/display_text.hpp"

namespace pystream::coord {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds kStatusPeriod = 5s;
constexpr std::size_t kLongestStatus = 200;  ///< columns

std::string taken(const char* name) {
  const char* value = std::getenv(name);
  std::string text = value != nullptr ? value : "";
  ::unsetenv(name);
  return text;
}

std::optional<std::uint64_t> number_in(const std::string& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

/// One line of valid UTF-8: else the manager refuses it.
std::string status_line(std::string_view text) {
  return "STATUS=" + base::shortened_end(base::printable_line(text), kLongestStatus);
}

}  // namespace

ServiceVariables ServiceVariables::take() {
  return {
      .socket = taken("NOTIFY_SOCKET"), .watchdog_usec = taken("WATCHDOG_USEC"), .watchdog_pid = taken("WATCHDOG_PID")};
}

ServiceManager::ServiceManager(const ServiceVariables& variables, pid_t pid, Warn warn) : warn_(std::move(warn)) {
  if (variables.socket.empty()) {
    return;
  }
  const bool known = variables.socket.front() == '/' || variables.socket.front() == '@';
  if (!known || variables.socket.size() >= sizeof(sockaddr_un::sun_path)) {
    give_up("NOTIFY_SOCKET is \"" + variables.socket + "\", expected a path or an abstract name behind @");
    return;
  }
  address_ = variables.socket;
  socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_) {
    give_up(std::string("there is no socket for it: ") + std::strerror(errno));
    return;
  }
  if (variables.watchdog_usec.empty() ||
      (!variables.watchdog_pid.empty() && number_in(variables.watchdog_pid) != static_cast<std::uint64_t>(pid))) {
    return;  // none, or it watches another process
  }
  const auto usec = number_in(variables.watchdog_usec);
  if (!usec || *usec == 0 || *usec > std::uint64_t{1} << 50) {
    warn_("WATCHDOG_USEC is \"" + variables.watchdog_usec + "\", expected microseconds; the watchdog gets no message");
    return;
  }
  watchdog_ = std::chrono::microseconds(*usec);
}

void ServiceManager::ready(std::string_view status) {
  status_ = status_line(status);
  send("READY=1\n" + status_, true);
}

void ServiceManager::stopping(std::string_view status) {
  status_ = status_line(status);
  send("STOPPING=1\n" + status_, true);
}

void ServiceManager::status(std::string_view text, std::chrono::nanoseconds now) {
  if (last_status_ && now < *last_status_ + kStatusPeriod) {
    return;
  }
  if (std::string line = status_line(text); line != status_ || !unsent_.empty()) {
    last_status_ = now;
    status_ = std::move(line);
    send(status_, false);
  }
}

/// A call that comes only after half of the time would be late, so it is sent with the last one before.
void ServiceManager::alive(std::chrono::nanoseconds now) {
  if (!watchdog_ || (last_alive_ && now - *last_alive_ < *watchdog_ / 2 - *watchdog_ / 8)) {
    return;
  }
  last_alive_ = now;
  send("WATCHDOG=1", false);
}

std::optional<std::chrono::nanoseconds> ServiceManager::alive_period() const {
  return watchdog_ ? std::optional(*watchdog_ / 8) : std::nullopt;
}

void ServiceManager::send(const std::string& message, bool must) {
  if (!socket_) {
    return;
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  address_.copy(address.sun_path, address_.size());
  auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  if (address_.front() == '@') {
    address.sun_path[0] = '\0';  // an abstract name is as long as it is told to be
  } else {
    ++size;
  }
  const std::string all = unsent_ + message;
  const ssize_t sent =
      ::sendto(socket_.get(), all.data(), all.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), size);
  if (sent >= 0) {
    unsent_.clear();
  } else if (errno != EAGAIN && errno != EINTR) {
    give_up("cannot send to " + address_ + ": " + std::strerror(errno));
  } else if (must) {
    unsent_ = all + "\n";
  }
}

void ServiceManager::give_up(const std::string& why) {
  socket_.reset();
  watchdog_.reset();
  warn_("the service manager is told nothing: " + why);
}

}  // namespace pystream::coord
