#include "coord/running_pipelines.hpp"

#include <algorithm>
#include <pystream/error.hpp>

#include "base/codec.hpp"
#include "coord/control_socket.hpp"

namespace pystream::coord {

RunningPipelines running_pipelines(int timeout_ms) {
  RunningPipelines running;
  for (const pid_t pid : running_coordinators()) {
    if (const auto answer = ask_coordinator(pid, "figures", timeout_ms)) {
      try {
        running.answered.push_back(base::decode<LiveStatus>(*answer));
      } catch (const Error&) {  // of another version
      }
    } else {
      running.silent.push_back(pid);
    }
  }
  const std::vector<pid_t> still = running.silent.empty() ? std::vector<pid_t>() : running_coordinators();
  std::erase_if(running.silent, [&](pid_t pid) { return std::ranges::find(still, pid) == still.end(); });
  return running;
}

}  // namespace pystream::coord
