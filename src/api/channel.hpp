#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <pystream/error.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/open_fds.hpp"

namespace pystream::api {

/// What the user's process and its coordinator tell each other.
struct Message {
  enum class Kind : std::uint8_t {
    // from the coordinator
    ready,     ///< every worker is ready
    failed,    ///< `reason`; the workers are being stopped
    done,      ///< the source has ended, and every worker behind it; last `workers` and `figures`, as below
    ended,     ///< the pipeline was ended from outside; `reason.text`
    status,    ///< `workers`
    profiles,  ///< `figures`; none: `reason.text` says why
    report,    ///< `reason.text`: something that the user should know
    line,      ///< `reason.text`: what worker `reason.stage` wrote to its standard error
    // from the user's process
    ask_status,
    ask_profiles,
    drain,  ///< the source ends
    stop,
  };
  struct Worker {
    pid_t pid = 0;
    std::uint32_t restarts = 0;
    static void fields(auto& self, auto& code) { code(self.pid, self.restarts); }
  };
  struct Figures {
    std::string key;
    double latency_s = 0;
    double items_per_s = 0;
    static void fields(auto& self, auto& code) { code(self.key, self.latency_s, self.items_per_s); }
  };
  Kind kind = Kind::ready;
  TerminationReason reason{};
  std::vector<Worker> workers{};
  std::vector<Figures> figures{};

  static void fields(auto& self, auto& code) {
    code(self.kind, self.reason.stage, self.reason.signal, self.reason.item, self.reason.text);
    code(self.workers, self.figures);
  }
};

/// One end of a connection that keeps messages whole. Neither end ever blocks on the other.
class Channel {
 public:
  explicit Channel(base::UniqueFd fd) : fd_(std::move(fd)) {}
  /// Two connected ends. Throws std::system_error.
  static std::pair<Channel, Channel> make_pair();

  int fd() const { return fd_.get(); }
  /// False if the other end is gone.
  bool send(const Message& message);
  /// The same for what matters less than other messages: false also if the other end has not taken much of what was
  /// sent before.
  [[nodiscard]] bool send_report(const std::string& text);
  [[nodiscard]] bool send_line(const std::string& worker, const std::string& text);
  /// The next message; nullopt if there is none now, or never again (see closed()).
  [[nodiscard]] std::optional<Message> receive();
  bool closed() const { return closed_; }

 private:
  [[nodiscard]] bool try_send(Message message);
  [[nodiscard]] bool try_send_aside(Message message);

  base::PrivateFd fd_;
  bool closed_ = false;
};

}  // namespace pystream::api
