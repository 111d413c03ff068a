#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/event_loop.hpp"

/// How `top`, `list` and `stop` talk to running coordinators: an abstract Unix socket "pystream/<uid>/<pid>", one
/// request and one answer in a packet each. Only the same user and root are answered (SO_PEERCRED).
namespace pystream::coord {

class ControlSocket {
 public:
  using Answer = std::function<std::string(std::string_view request)>;

  /// Throws std::system_error if the socket cannot be made.
  ControlSocket(base::EventLoop& loop, Answer answer);
  ~ControlSocket();
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

 private:
  void on_connection();
  void on_request(int fd);

  base::EventLoop& loop_;
  Answer answer_;
  base::UniqueFd listener_;
  std::vector<base::UniqueFd> connections_;
};

/// Coordinators of this user that run now (as root: of all users), by their process ids.
std::vector<pid_t> running_coordinators();
/// nullopt: it is gone, does not answer in time, or does not answer this user.
[[nodiscard]] std::optional<std::string> ask_coordinator(pid_t pid, std::string_view request, int timeout_ms = 2000);

}  // namespace pystream::coord
