#include "cli/load_plan.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>
#include <variant>

#include "base/unique_fd.hpp"
#include "cli/auto_replicas.hpp"
#include "cli/end_overrides.hpp"
#include "cli/frame.hpp"
#include "cli/stage_catalog.hpp"
#include "cli/worker_program.hpp"
#include "coord/inspect.hpp"
#include "plan/hosts.hpp"
#include "plan/json.hpp"
#include "plan/object_reader.hpp"
#include "plan/plan_json.hpp"
#include "plan/suggest.hpp"
#include "setup/plugins.hpp"

namespace pystream::cli {
namespace {

namespace fs = std::filesystem;
using Faults = std::vector<plan::PlanFault>;

constexpr std::size_t kMaxPlanBytes = 64 << 20;
constexpr const char* kStreamPlugin = "libpystream_nats.so";

[[noreturn]] void refuse(const std::string& file, const Faults& faults) {
  std::string text;
  for (const plan::PlanFault& fault : faults) {
    text += (text.empty() ? "" : "\n") + plan::to_string(fault, file);
  }
  throw BadPlan(text);
}

std::string read_text(const fs::path& file) {
  const auto fail = [&] { throw BadPlan(shown_file(file) + ": cannot be read: " + std::strerror(errno)); };
  const base::UniqueFd opened(file == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                          : ::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!opened) {
    fail();
  }
  std::string text;
  std::array<char, 65536> chunk{};
  while (true) {
    const ssize_t got = ::read(opened.get(), chunk.data(), chunk.size());
    if (got == 0) {
      return text;
    }
    if (got < 0 && errno != EINTR) {
      fail();
    }
    text.append(chunk.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    if (text.size() > kMaxPlanBytes) {
      throw BadPlan(shown_file(file) + ": found more than 64 MiB, expected a plan");
    }
  }
}

/// Plain names are the worker's to find; what has a slash stands where the plan says.
std::vector<std::string> resolved(const std::vector<std::string>& plugins, const fs::path& file) {
  std::error_code error;  // the current folder may have been removed
  const fs::path folder = file == "-" ? fs::current_path(error) : fs::absolute(file, error).parent_path();
  std::vector<std::string> out;
  for (const std::string& plugin : plugins) {
    const bool plain = plugin.find('/') == std::string::npos;
    if (!plain && error) {
      throw BadPlan(shown_file(file) + ": cannot find the plugin " + plugin +
                    ": the current folder: " + error.message());
    }
    out.push_back(plain ? plugin : (folder / plugin).lexically_normal().string());
  }
  return out;
}

std::vector<StageType> inspect(const fs::path& program, const std::vector<std::string>& plugins,
                               const std::string& file) {
  try {
    return coord::inspect_plugins(program, plugins);
  } catch (const coord::PluginError& error) {
    const auto at = std::find(plugins.begin(), plugins.end(), error.plugin()) - plugins.begin();
    throw BadPlan(file + ": /plugins/" + std::to_string(at) + ": " + error.what());
  }
}

std::vector<plan::ParamOverride> overrides_of(const PlanOptions& options, const std::string& text,
                                              std::span<const StageType> types) {
  std::vector<plan::ParamOverride> overrides;
  Faults faults;
  for (const std::string& set : options.sets) {
    auto parsed = plan::parse_override(set);
    if (auto* fault = std::get_if<plan::PlanFault>(&parsed)) {
      faults.push_back(std::move(*fault));
    } else {
      overrides.push_back(std::get<plan::ParamOverride>(std::move(parsed)));
    }
  }
  if (!faults.empty()) {
    refuse({}, faults);
  }
  std::ranges::move(end_overrides(text, types, options.input, options.output), std::back_inserter(overrides));
  return overrides;
}

/// Faults in what --input and --output set are those options' faults.
void name_end_options(Faults& faults, const PlanOptions& options) {
  for (plan::PlanFault& fault : faults) {
    if (!options.input.empty() && fault.where.starts_with("--set Source.")) {
      fault.where = "--input " + options.input;
    } else if (!options.output.empty() && fault.where.starts_with("--set Sink.")) {
      fault.where = "--output " + options.output;
    }
  }
}

/// An unknown type may just lack its plugin: the hint then says which.
void hint_at_plugins(Faults& faults, const LoadedPlan& loaded) {
  const auto about_type = [](const plan::PlanFault& fault) { return fault.where.ends_with("/type"); };
  if (std::ranges::none_of(faults, about_type)) {
    return;
  }
  for (const PluginTypes& plugin : found_plugins(loaded.worker_program, loaded.types)) {
    for (plan::PlanFault& fault : faults) {
      if (about_type(fault) && std::ranges::any_of(plugin.types, [&](const StageType& type) {
            return fault.found == plan::in_quotes(type.name);
          })) {
        fault.hint = "add " + plan::in_quotes(plugin.plugin) + " to \"plugins\"";
      }
    }
  }
}

bool knows(const std::vector<StageType>& types, std::string_view name) {
  return std::ranges::find(types, name, &StageType::name) != types.end();
}

/// The plugin with the ends of parts, unless one of the plan's own has them.
void add_stream_plugin(LoadedPlan& loaded) {
  if (knows(loaded.types, plan::kStreamSource) && knows(loaded.types, plan::kStreamSink)) {
    return;
  }
  loaded.plan.plugins.emplace_back(kStreamPlugin);
  try {
    loaded.types = coord::inspect_plugins(loaded.worker_program, loaded.plan.plugins);
  } catch (const coord::PluginError& error) {
    throw BadPlan(shown_file(loaded.file) + ": --host needs the plugin " + kStreamPlugin +
                  ", which connects the parts of a plan over several hosts: " + error.what());
  }
}

/// Leaves of the loaded plan the part of one host.
void keep_part(LoadedPlan& loaded, const PlanOptions& options) {
  const std::string& host = options.host;
  std::vector<plan::Part> parts = cut_plan(loaded, options.run);
  const auto part = std::ranges::find(parts, host, &plan::Part::host);
  if (part == parts.end()) {
    throw_unknown_host(host, plan::hosts_of(loaded.plan));
  }
  loaded.part = {.run = loaded.plan.name + "-" + options.run, .host = host, .first = part == parts.begin()};
  loaded.plan = std::move(part->plan);
  if (part->input || part->output) {
    add_stream_plugin(loaded);
  }
  // The ends are made here, so that what is wrong with them no user could mend; but a plugin of another version might.
  const auto written = plan::read_written_plan(plan::write_plan(loaded.plan), loaded.types);
  if (const auto* faults = std::get_if<Faults>(&written)) {
    refuse(shown_file(loaded.file) + ", part of " + host, *faults);
  }
}

}  // namespace

void throw_unknown_host(const std::string& host, const std::vector<std::string>& hosts) {
  const std::string hint = plan::did_you_mean(host, hosts);
  throw BadUsage("--host: found " + plan::in_quotes(host) + ", expected a host of this plan, " + plan::one_of(hosts) +
                 (hint.empty() ? "" : " (" + hint + ")"));
}

std::vector<plan::Part> cut_plan(const LoadedPlan& loaded, const std::string& run) {
  if (const auto broken = plan::run_name_fault(run)) {
    throw BadUsage("--run: found " + plan::in_quotes(run) + ", expected " + *broken);
  }
  auto parts = plan::cut(loaded.plan, loaded.types, run);
  if (const auto* faults = std::get_if<Faults>(&parts)) {
    refuse(shown_file(loaded.file), *faults);
  }
  return std::get<std::vector<plan::Part>>(std::move(parts));
}

std::vector<fs::path> plugin_files(const std::vector<std::string>& plugins) {
  std::vector<fs::path> files;
  for (const std::string& plugin : plugins) {
    try {
      files.emplace_back(setup::find_plugin(plugin));
    } catch (const Error&) {
      files.emplace_back(plugin);
    }
  }
  return files;
}

void add_plan_options(CLI::App& command, PlanOptions& options) {
  command.add_option("PLAN", options.file, "Plan file; - is standard input")->required()->type_name("");
  command
      .add_option("--set", options.sets,
                  "Another value for a parameter of a stage, or for its replicas; may be repeated")
      ->type_name("STAGE.PARAM=VALUE")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  command.add_option("--input", options.input, "What the source reads (its parameter path); - is standard input")
      ->type_name("FILE");
  command
      .add_option("--output", options.output, "Where the sink writes (its parameter path, or directory for a folder)")
      ->type_name("FILE");
  add_worker_program_option(command, options.worker_program);
}

void add_host_options(CLI::App& command, PlanOptions& options) {
  command.add_option("--host", options.host, "Only the part of this host of a plan over several hosts")
      ->type_name("NAME")
      ->check([](const std::string& name) { return name.empty() ? "expected a name" : ""; });
  command
      .add_option(
          "--run", options.run,
          "Which run of a plan over several hosts: the same name goes on with it, another one begins another run")
      ->capture_default_str()
      ->type_name("NAME");
}

std::vector<std::uint64_t> LoadedPlan::checkpoint_bytes(const plan::Topology& topology) const {
  std::vector<std::uint64_t> bytes;
  for (const plan::PlacedStage& placed : topology.stages) {
    const auto type = std::ranges::find(types, placed.node->stage->type, &StageType::name);
    bytes.push_back(type == types.end() ? 0 : type->checkpoint_bytes);
  }
  return bytes;
}

LoadedPlan load_plan(const PlanOptions& options) {
  LoadedPlan loaded;
  loaded.file = options.file;
  loaded.worker_program = worker_program_of(options.worker_program);
  const std::string file = shown_file(loaded.file);
  const std::string text = read_text(loaded.file);
  auto named = plan::read_plugin_names(text);
  if (const auto* faults = std::get_if<Faults>(&named)) {
    refuse(file, *faults);
  }
  const std::vector<std::string> plugins = resolved(std::get<std::vector<std::string>>(named), loaded.file);
  loaded.types = inspect(loaded.worker_program, plugins, file);
  auto read = plan::read_plan(text, loaded.types, overrides_of(options, text, loaded.types));
  if (auto* faults = std::get_if<Faults>(&read)) {
    name_end_options(*faults, options);
    hint_at_plugins(*faults, loaded);
    refuse(file, *faults);
  }
  loaded.plan = std::get<plan::Plan>(std::move(read));
  loaded.plan.plugins = plugins;
  if (!options.host.empty()) {
    keep_part(loaded, options);
  }
  loaded.notes = choose_replicas(loaded.plan, loaded.run_name());
  loaded.descriptors = coord::HandedDescriptors(loaded.plan, loaded.types);
  return loaded;
}

LoadedPlan load_kept_plan(const std::string& text, const std::string& origin, const std::string& worker_program) {
  LoadedPlan loaded;
  loaded.file = origin;
  loaded.worker_program = worker_program_of(worker_program);
  auto named = plan::read_plugin_names(text);
  if (const auto* faults = std::get_if<Faults>(&named)) {
    refuse(origin, *faults);
  }
  const auto& plugins = std::get<std::vector<std::string>>(named);  // plain names or absolute already
  loaded.types = inspect(loaded.worker_program, plugins, origin);
  auto read = plan::read_written_plan(text, loaded.types);
  if (const auto* faults = std::get_if<Faults>(&read)) {
    refuse(origin, *faults);
  }
  loaded.plan = std::get<plan::Plan>(std::move(read));
  loaded.descriptors = coord::HandedDescriptors(loaded.plan, loaded.types);
  return loaded;
}

std::vector<coord::FileClaim> checked_files(const LoadedPlan& loaded, const plan::Topology& topology,
                                            bool standard_too) {
  std::vector<coord::FileClaim> claims = coord::file_claims(topology, loaded.types);
  const auto reads_input = [](const coord::FileClaim& claim) {
    return claim.use == FileUse::reads && claim.standard();
  };
  if (standard_too && loaded.file == "-" && std::ranges::any_of(claims, reads_input)) {
    throw BadPlan(
        shown_file(loaded.file) +
        ": the plan comes from standard input, and a stage would read its items from there; expected the plan "
        "as a file, or --input");
  }
  std::vector<coord::FileClaim> with_plan = claims;
  with_plan.push_back({.where = {}, .stage = "pystream-coord", .path = loaded.file.string(), .names = {}});
  for (const fs::path& plugin : plugin_files(loaded.plan.plugins)) {
    with_plan.push_back({.where = {}, .stage = "pystream-coord", .path = plugin.string(), .names = {}});
  }
  Faults faults = coord::outputs_that_are_inputs(with_plan, standard_too);
  if (standard_too) {
    std::ranges::move(loaded.descriptors.not_open(claims), std::back_inserter(faults));
  }
  if (!faults.empty()) {
    refuse(shown_file(loaded.file), faults);
  }
  return claims;
}

std::string shown_file(const fs::path& file) {
  return file == "-" ? "standard input" : file.string();
}

}  // namespace pystream::cli
