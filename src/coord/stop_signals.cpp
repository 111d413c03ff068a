#include "coord/stop_signals.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

#include "base/process_start.hpp"
#include "base/system_error.hpp"

namespace pystream::coord {

StopSignals::StopSignals(bool interrupts) {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  for (const int signal : {SIGINT, SIGHUP, SIGQUIT}) {
    if (interrupts && !base::is_ignored(signal)) {  // one that is ignored would come all the same once it is blocked
      ::sigaddset(&set, signal);
    }
  }
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) {
    base::throw_errno("cannot block signals");
  }
  fd_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd_) {
    base::throw_errno("cannot receive signals");
  }
}

std::optional<StopSignals::Signal> StopSignals::next() {
  signalfd_siginfo info{};
  if (::read(fd_.get(), &info, sizeof(info)) != sizeof(info)) {
    return std::nullopt;
  }
  return Signal{.number = static_cast<int>(info.ssi_signo), .from_kernel = info.ssi_code == SI_KERNEL};
}

}  // namespace pystream::coord
