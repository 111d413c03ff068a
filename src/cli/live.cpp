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

coord::LiveStatus find_first_part(const std::string& which) {
  std::vector<coord::LiveStatus> parts = coord::running_pipelines().answered;
  std::erase_if(parts, [&](const coord::LiveStatus& status) {
    return status.shared_run.empty() || (!which.empty() && status.shared_run != which);
  });
  const std::string run = which.empty() ? "a plan over several hosts" : "the run \"" + which + "\"";
  if (parts.empty()) {
    throw Error("no part of " + run + " runs on this machine; see pystream-coord list");
  }
  std::erase_if(parts, [](const coord::LiveStatus& status) { return !status.first_part; });
  if (parts.empty()) {
    throw Error("the part of " + run + " that has the source does not run on this machine; stop the run there");
  }
  if (parts.size() > 1) {
    throw Error("several runs have their source here; name one, such as " + parts.front().shared_run);
  }
  return parts.front();
}

}  // namespace pystream::cli
