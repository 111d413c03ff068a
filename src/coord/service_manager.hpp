#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/unique_fd.hpp"

namespace pystream::coord {

/// The variables by which a service manager (systemd) tells a program how to reach it; see sd_notify(3).
struct ServiceVariables {
  std::string socket;         ///< NOTIFY_SOCKET: a path, or an abstract name behind '@'; empty: there is no manager
  std::string watchdog_usec;  ///< WATCHDOG_USEC; empty: no watchdog
  std::string watchdog_pid;   ///< WATCHDOG_PID: the process that it watches; empty: any

  /// Takes them out of the environment of this process, so that no child takes them for its own. Before other threads
  /// run.
  static ServiceVariables take();
};

/// Tells the service manager how a run is going: a datagram for each message. Never waits for the manager. Has no
/// clock.
class ServiceManager {
 public:
  using Warn = std::function<void(const std::string& text)>;

  /// `pid`: this process. Calls `warn`, now or once later, if the variables are not usable or the manager cannot be
  /// reached.
  ServiceManager(const ServiceVariables& variables, pid_t pid, Warn warn);

  /// Every worker has announced itself.
  void ready(std::string_view status);
  /// No further input is taken, or it is over. May be called again with another status.
  void stopping(std::string_view status);
  /// A line for `systemctl status`. Sent if it changes, at most every five seconds.
  void status(std::string_view text, std::chrono::nanoseconds now);
  /// The event loop goes round. Sent when about half of the watchdog's time is over.
  void alive(std::chrono::nanoseconds now);
  /// How often alive() must be called; nullopt: no watchdog.
  std::optional<std::chrono::nanoseconds> alive_period() const;

 private:
  /// `must`: sent again with the next message, if the manager is behind.
  void send(const std::string& message, bool must);
  void give_up(const std::string& why);

  Warn warn_;
  std::string address_;
  base::UniqueFd socket_;
  std::optional<std::chrono::nanoseconds> watchdog_;
  std::optional<std::chrono::nanoseconds> last_alive_;
  std::optional<std::chrono::nanoseconds> last_status_;
  std::string status_;
  std::string unsent_;
};

}  // namespace pystream::coord
