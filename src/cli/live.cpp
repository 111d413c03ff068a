#include "cli/live.hpp"

#include <pystream/error.hpp>

namespace pystream::cli {

std::string text_of_silent(const coord::RunningPipelines& running) {
  std::string text;
  for (const pid_t pid : running.silent) {
    text += (text.empty() ? "" : "\n") + std::string("process ") + std::to_string(pid) +
            " runs a pipeline and does not answer; if it is stopped, continue it: kill -CONT " + std::to_string(pid);
  }
  return text;
}

coord::LiveStatus find_pipeline(const std::string& which) {
  const coord::RunningPipelines running = coord::running_pipelines();
  std::vector<coord::LiveStatus> pipelines = running.answered;
  const auto named = [&](const coord::LiveStatus& status) {
    return which.empty() || status.name == which || std::to_string(status.pid) == which;
  };
  std::erase_if(pipelines, [&](const coord::LiveStatus& status) { return !named(status); });
  if (pipelines.empty()) {
    const std::string silent = text_of_silent(running);
    if (!silent.empty()) {
      throw Error(silent);
    }
    throw Error(which.empty() ? "no pipeline runs"
                              : "no running pipeline is called \"" + which + "\"; see pystream-coord list");
  }
  if (pipelines.size() > 1) {
    throw Error("several pipelines run; name one by its process id (see pystream-coord list)");
  }
  return pipelines.front();
}

}  // namespace pystream::cli
