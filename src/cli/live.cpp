#include "cli/live.hpp"

#include <algorithm>
#include <pystream/error.hpp>

#include "coord/control_socket.hpp"

namespace pystream::cli {

std::vector<coord::LiveStatus> running_pipelines() {
  std::vector<coord::LiveStatus> pipelines;
  for (const pid_t pid : coord::running_coordinators()) {
    if (const auto answer = coord::ask_coordinator(pid, "figures")) {
      try {
        pipelines.push_back(coord::decode_live_status(*answer));
      } catch (const Error&) {  // of another version
      }
    }
  }
  return pipelines;
}

coord::LiveStatus find_pipeline(const std::string& which) {
  std::vector<coord::LiveStatus> pipelines = running_pipelines();
  const auto named = [&](const coord::LiveStatus& status) {
    return which.empty() || status.name == which || std::to_string(status.pid) == which;
  };
  std::erase_if(pipelines, [&](const coord::LiveStatus& status) { return !named(status); });
  if (pipelines.empty()) {
    throw Error(which.empty() ? "no pipeline runs"
                              : "no running pipeline is called \"" + which + "\"; see pystream-coord list");
  }
  if (pipelines.size() > 1) {
    throw Error("several pipelines run; name one by its process id (see pystream-coord list)");
  }
  return pipelines.front();
}

}  // namespace pystream::cli
