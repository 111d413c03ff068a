#include <poll.h>

#include <cerrno>

#include "base/pidfd.hpp"
#include "base/system_error.hpp"
#include "cli/commands.hpp"
#include "cli/live.hpp"
#include "coord/control_socket.hpp"

namespace pystream::cli {
namespace {

struct StopOptions {
  std::string which;
  bool now = false;
  bool wait = false;
};

int stop(const StopOptions& options) {
  const coord::LiveStatus status = find_pipeline(options.which);
  base::UniqueFd process;  // opened before it can end; it tells of the end even if nobody reaps the process
  if (options.wait) {
    process = base::open_pidfd(static_cast<pid_t>(status.pid));
  }
  if (!coord::ask_coordinator(static_cast<pid_t>(status.pid), options.now ? "stop" : "drain")) {
    throw Error("the pipeline " + status.name + " (process " + std::to_string(status.pid) + ") does not answer");
  }
  pollfd ended{.fd = process.get(), .events = POLLIN, .revents = 0};
  while (options.wait && ::poll(&ended, 1, -1) < 0) {
    if (errno != EINTR) {
      base::throw_errno("cannot wait for the end of process " + std::to_string(status.pid));
    }
  }
  return kDone;
}

}  // namespace

void add_stop(CLI::App& app, Command& chosen) {
  CLI::App& command =
      add_command(app, "stop", "End a running pipeline: its sources stop, and the items inside are processed",
                  "  pystream-coord stop\n"
                  "  pystream-coord stop camera --wait\n"
                  "  pystream-coord stop 4711 --now");
  const auto options = std::make_shared<StopOptions>();
  command.add_option("PIPELINE", options->which, "Name or process id of the pipeline; not needed if only one runs");
  command.add_flag("--now", options->now, "Stop at once; give up the items inside");
  command.add_flag("--wait", options->wait, "Wait until it has ended");
  command.callback([options, &chosen] { chosen = [options] { return stop(*options); }; });
}

}  // namespace pystream::cli
