#include "coord/inspect.hpp"

#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <system_error>
#include <utility>
#include <variant>

#include "base/child_process.hpp"
#include "plan/plan_json.hpp"
#include "setup/places.hpp"

namespace pystream::coord {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWorkerProgram = "pystream-worker";

bool is_program(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
}

fs::path named_program(const std::string& name, const std::string& named_by) {
  if (!is_program(name)) {
    throw Error("the worker program \"" + name + "\" (" + named_by + ") is not an executable program");
  }
  return fs::absolute(name);
}

std::string last_lines(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) {
    text.pop_back();
  }
  return text;
}

base::ChildResult describe(const fs::path& program, std::span<const std::string> plugins, const InspectLimits& limits) {
  base::ChildCommand command{.arguments = {program.string(), "describe"}};
  command.arguments.insert(command.arguments.end(), plugins.begin(), plugins.end());
  command.deadline = limits.deadline;
  command.output_limit = limits.output;
  return base::run_child(command);
}

std::variant<std::vector<StageType>, std::string> outcome(const base::ChildResult& result, const fs::path& program) {
  const std::string said = last_lines(result.errors);
  const bool unseen = result.end == base::ChildResult::End::unseen;
  if ((unseen || (result.end == base::ChildResult::End::exited && result.code != 0)) && !said.empty()) {
    return said;
  }
  if (!result.may_have_succeeded()) {
    return "the worker program " + base::describe_end(result) + " while it loaded the stage types" +
           (said.empty() ? "" : "; it said: " + said);
  }
  auto catalog = plan::read_catalog(result.output);
  if (const auto* faults = std::get_if<std::vector<plan::PlanFault>>(&catalog)) {
    return "cannot read the catalog that " + program.filename().string() +
           " printed: " + (faults->empty() ? "no catalog" : plan::to_string(faults->front(), "")) +
           "; a plugin must not write to standard output while it is loaded";
  }
  return std::get<std::vector<StageType>>(std::move(catalog));
}

/// What is wrong with the worker program and these plugins; nullopt: nothing.
std::optional<std::string> trouble(const fs::path& program, std::span<const std::string> plugins,
                                   const InspectLimits& limits) {
  const auto result = outcome(describe(program, plugins, limits), program);
  const auto* message = std::get_if<std::string>(&result);
  return message == nullptr ? std::nullopt : std::optional(*message);
}

/// Finds out by asking for fewer plugins at a time which one it is.
[[noreturn]] void blame(const fs::path& program, std::span<const std::string> plugins, const std::string& together,
                        const InspectLimits& limits) {
  if (const auto alone = trouble(program, {}, limits)) {
    throw Error("the worker program " + program.string() + " does not work: " + *alone);
  }
  const auto name = [](const std::string& plugin, const std::string& message) {
    return message.find(plugin) != std::string::npos ? message : "plugin \"" + plugin + "\": " + message;
  };
  for (const std::string& plugin : plugins) {
    if (const auto message = trouble(program, std::span(&plugin, 1), limits)) {
      throw PluginError(plugin, name(plugin, *message));
    }
  }
  // Each works alone: the first at which the row of them breaks.
  for (std::size_t count = 2; count < plugins.size(); ++count) {
    if (const auto message = trouble(program, plugins.first(count), limits)) {
      throw PluginError(plugins[count - 1], name(plugins[count - 1], *message));
    }
  }
  throw PluginError(plugins.back(), name(plugins.back(), together));
}

}  // namespace

fs::path find_worker_program(const std::string& wanted) {
  if (!wanted.empty()) {
    return named_program(wanted, "--worker-program");
  }
  if (const char* named = std::getenv("PYSTREAM_WORKER"); named != nullptr && *named != '\0') {
    return named_program(named, "environment variable PYSTREAM_WORKER");
  }
  std::string looked;
  for (const fs::path& folder : setup::worker_folders()) {
    if (is_program(folder / kWorkerProgram)) {
      return fs::weakly_canonical(folder / kWorkerProgram);
    }
    looked += "\n  " + folder.string();
  }
  throw Error(std::string("the worker program ") + kWorkerProgram + " was not found; looked in" + looked +
              "\nname it with --worker-program, or set PYSTREAM_WORKER");
}

std::vector<StageType> inspect_plugins(const fs::path& worker_program, std::span<const std::string> plugins,
                                       const InspectLimits& limits) {
  auto result = outcome(describe(worker_program, plugins, limits), worker_program);
  if (const auto* message = std::get_if<std::string>(&result)) {
    if (plugins.empty()) {
      throw Error("the worker program " + worker_program.string() + " does not work: " + *message);
    }
    blame(worker_program, plugins, *message, limits);
  }
  return std::get<std::vector<StageType>>(std::move(result));
}

}  // namespace pystream::coord
