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
  bool whole_run = false;
  bool now = false;
  bool wait = false;
};

std::string request_of(const StopOptions& options) {
  return options.now ? "stop" : options.whole_run ? "end" : "drain";
}

int stop(const StopOptions& options) {
  const coord::LiveStatus status = options.whole_run ? find_first_part(options.which) : find_pipeline(options.which);
  base::UniqueFd process;  // opened before it can end; it tells of the end even if nobody reaps the process
  if (options.wait) {
    process = base::open_pidfd(static_cast<pid_t>(status.pid));
  }
  const auto answer = coord::ask_coordinator(static_cast<pid_t>(status.pid), request_of(options));
  const std::string shown = status.name + " (process " + std::to_string(status.pid) + ")";
  if (!answer) {
    throw Error("the pipeline " + shown + " does not answer");
  }
  if (options.whole_run && *answer != "draining") {
    throw Error("the part " + shown + " pauses already; start it again, then stop the run");
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
  CLI::App& command = add_command(
      app, "stop", "End a running pipeline: its sources stop, and the items inside are processed",
      "  pystream-coord stop\n"
      "  pystream-coord stop camera --wait\n"
      "  pystream-coord stop 4711 --now\n"
      "  pystream-coord stop people-1 --run\n"
      "\nOf a plan over several hosts, stop pauses the part that it names; with --run the whole run drains.");
  const auto options = std::make_shared<StopOptions>();
  command.add_option("PIPELINE", options->which, "Name or process id of the pipeline; not needed if only one runs");
  auto* const run =
      command.add_flag("--run", options->whole_run,
                       "Of a plan over several hosts: end the input of the whole run PIPELINE (PLAN-RUN), on "
                       "the host of its source; the other parts end behind the last item");
  command.add_flag("--now", options->now, "Stop at once; give up the items inside")->excludes(run);
  command.add_flag("--wait", options->wait, "Wait until it has ended");
  command.callback([options, &chosen] { chosen = [options] { return stop(*options); }; });
}

}  // namespace pystream::cli
