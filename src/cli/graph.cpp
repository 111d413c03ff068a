#include <unistd.h>

#include <cerrno>
#include <memory>
#include <system_error>

#include "base/child_process.hpp"
#include "cli/commands.hpp"
#include "cli/load_plan.hpp"
#include "cli/output_file.hpp"
#include "cli/pipeline_graph.hpp"
#include "cli/terminal.hpp"
#include "cli/units.hpp"
#include "plan/topology.hpp"

namespace pystream::cli {
namespace {

struct Options {
  PlanOptions plan;
  std::string format = "text";
  std::string file;
};

std::string render_svg(const PipelineGraph& graph) {
  base::ChildResult result;
  try {
    result = base::run_child({.arguments = {"dot", "-Tsvg"}, .input = render_dot(graph)});
  } catch (const std::system_error& error) {
    if (error.code().value() != ENOENT) {
      throw;
    }
    throw Error(
        "format svg needs the program dot of Graphviz, which is not installed; install the package graphviz, or use "
        "--format dot or mermaid and draw it elsewhere");
  }
  if (!result.succeeded()) {
    throw Error("the program dot " + base::describe_end(result) + ": " + result.errors);
  }
  return result.output;
}

std::string render(const std::string& format, const PipelineGraph& graph, const base::TextTable::Look& look) {
  if (format == "dot") {
    return render_dot(graph);
  }
  if (format == "mermaid") {
    return render_mermaid(graph);
  }
  return format == "svg" ? render_svg(graph) : render_text(graph, look);
}

/// nullptr: the format is a drawing.
std::string (*units_in(const std::string& format))(const UnitSet&) {
  return format == "systemd" ? systemd_units
         : format == "k8s"   ? kubernetes_jobs
         : format == "nomad" ? nomad_job
                             : nullptr;
}

/// Files that the output must not replace.
std::vector<std::filesystem::path> read_by(const LoadedPlan& loaded) {
  std::vector<std::filesystem::path> read = plugin_files(loaded.plan.plugins);
  read.push_back(loaded.file);
  return read;
}

int write_units(const Options& options) {
  PlanOptions whole = options.plan;
  whole.host.clear();
  const LoadedPlan loaded = load_plan(whole);
  write_output(options.file, units_in(options.format)(make_units(loaded, options.plan)), read_by(loaded));
  return kDone;
}

int graph(const Options& options) {
  if (units_in(options.format) != nullptr) {
    return write_units(options);
  }
  const LoadedPlan loaded = load_plan(options.plan);
  const plan::Topology topology = plan::make_topology(loaded.plan);
  const std::string title = options.plan.file == "-" ? "pipeline" : loaded.file.filename().string();
  const bool shown = options.file.empty() || options.file == "-";
  const base::TextTable::Look look = shown ? look_of(STDOUT_FILENO) : base::TextTable::Look{};
  write_output(options.file, render(options.format, make_graph(loaded.plan, topology, title), look), read_by(loaded));
  return kDone;
}

}  // namespace

void add_graph(CLI::App& app, Command& chosen) {
  CLI::App& command =
      add_command(app, "graph", "Draw a plan: its processes, the stages in each, the links between them",
                  "  pystream-coord graph pipeline.json\n"
                  "  pystream-coord graph pipeline.json --format svg -o pipeline.svg\n"
                  "  pystream-coord graph pipeline.json --format dot | dot -Tpng > pipeline.png\n"
                  "  pystream-coord graph pipeline.json --format systemd --host gpu > gpu.service\n"
                  "\nOf a plan over several hosts, the formats systemd, k8s and nomad give a unit for each part.");
  auto options = std::make_shared<Options>();
  add_plan_options(command, options->plan);
  add_host_options(command, options->plan);
  command.add_option("--format", options->format, "Output format; svg needs Graphviz")
      ->check(CLI::IsMember({"text", "dot", "mermaid", "svg", "systemd", "k8s", "nomad"}))
      ->capture_default_str()
      ->type_name("FORMAT");
  command.add_option("-o", options->file, "Write to this file instead of standard output")->type_name("FILE");
  command.callback([options, &chosen] { chosen = [options] { return graph(*options); }; });
}

}  // namespace pystream::cli
