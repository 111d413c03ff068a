#include "cli/units.hpp"

#include <algorithm>
#include <utility>

#include "cli/frame.hpp"
#include "plan/cut.hpp"
#include "plan/json.hpp"

namespace pystream::cli {
namespace {

namespace fs = std::filesystem;

/// What the command line says about the plan, for the command line of each part.
std::vector<std::string> arguments_of(const PlanOptions& options, const std::string& host) {
  std::vector<std::string> arguments{"--host", host, "--run", options.run};
  for (const std::string& set : options.sets) {
    arguments.push_back("--set=" + set);
  }
  for (const auto& [name, value] : {std::pair("--input=", &options.input), std::pair("--output=", &options.output),
                                    std::pair("--worker-program=", &options.worker_program)}) {
    if (!value->empty()) {
      arguments.push_back(name + *value);
    }
  }
  return arguments;
}

void require_text(const std::string& text) {
  if (!plan::is_utf8(text)) {
    throw Error("found " + plan::in_quotes(text) + " for the command line of a unit, expected UTF-8 text");
  }
}

}  // namespace

UnitSet make_units(const LoadedPlan& loaded, const PlanOptions& options) {
  if (loaded.file == "-") {
    throw BadUsage("a unit reads the plan each time it starts: found a plan from standard input, expected a file");
  }
  UnitSet units{.plan = loaded.plan.name,
                .program = fs::read_symlink("/proc/self/exe"),
                .file = fs::absolute(loaded.file).lexically_normal(),
                .folder = fs::current_path(),
                .parts = {}};
  std::vector<std::string> hosts;
  for (const plan::Part& part : cut_plan(loaded, options.run)) {
    hosts.push_back(part.host);
    if (options.host.empty() || options.host == part.host) {
      units.parts.push_back({.host = part.host, .moves = part.moves, .arguments = arguments_of(options, part.host)});
    }
  }
  if (units.parts.empty()) {
    throw_unknown_host(options.host, hosts);
  }
  for (const fs::path& path : {units.program, units.file, units.folder}) {
    require_text(path.string());
  }
  std::ranges::for_each(units.parts.front().arguments, require_text);
  return units;
}

}  // namespace pystream::cli
