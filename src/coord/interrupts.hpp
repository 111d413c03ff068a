#pragma once

#include <chrono>
#include <optional>

namespace pystream::coord {

/// What a signal asks a running coordinator to do. Has no clock and makes no system call.
///
/// The first signal drains. A second one stops at once, but not if it is an echo of the first: GNU timeout signals its
/// child and then the child's whole group, and many wrappers pass on a Ctrl-C that the terminal has delivered already.
/// So it counts only half a second later, or if it is a SIGINT that a terminal sends, because then somebody has pressed
/// Ctrl-C twice. SIGHUP never does: a terminal that closes, its shell and a multiplexer send one each. SIGQUIT (Ctrl-\)
/// always stops at once.
class Interrupts {
 public:
  enum class Request { drain, stop, nothing };

  /// `from_kernel`: no process has sent it, a terminal has (si_code is SI_KERNEL).
  Request on_signal(int signal, bool from_kernel, std::chrono::nanoseconds now);
  bool any() const { return first_.has_value(); }

 private:
  std::optional<std::chrono::nanoseconds> first_;
};

}  // namespace pystream::coord
