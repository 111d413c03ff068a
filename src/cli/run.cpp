#include <unistd.h>

#include "cli/commands.hpp"
#include "cli/crash_text.hpp"
#include "cli/last_line.hpp"
#include "cli/load_plan.hpp"
#include "cli/metrics_file.hpp"
#include "cli/prepared_run.hpp"
#include "cli/progress_line.hpp"
#include "cli/standard_error.hpp"
#include "cli/summary_table.hpp"
#include "cli/terminal.hpp"
#include "coord/audit.hpp"
#include "coord/coordinator.hpp"

namespace pystream::cli {
namespace {

struct RunOptions {
  PlanOptions plan;
  std::uint64_t items = 0;
  std::string duration;
  std::string drain_timeout = "10s";
  bool quiet = false;
  bool accept_dead_letters = false;
  std::string log_level = "info";
  std::string metrics;
};

/// `given`: of the option `name`; empty: none.
std::optional<std::chrono::nanoseconds> duration_of(const std::string& name, const std::string& given) {
  if (given.empty()) {
    return std::nullopt;
  }
  const auto duration = parse_duration(given);
  if (!duration) {
    throw BadUsage(name + ": found \"" + given + "\", expected a number with a unit, such as 10s or 500ms");
  }
  return duration;
}

/// None: a drain takes as long as it does.
std::optional<std::chrono::nanoseconds> drain_timeout_of(const RunOptions& options) {
  const auto timeout = duration_of("--drain-timeout", options.drain_timeout);
  return timeout && timeout->count() > 0 ? timeout : std::nullopt;
}

class RunCommand {
 public:
  explicit RunCommand(RunOptions options)
      : options_(std::move(options)), progress_(!options_.quiet && ::isatty(STDERR_FILENO) == 1) {}

  int run() {
    const auto duration = duration_of("--duration", options_.duration);
    const auto drain_timeout = drain_timeout_of(options_);
    LoadedPlan loaded = load_plan(options_.plan);
    for (const std::string& note : loaded.notes) {
      log({}, note);
    }
    loaded.descriptors.open_input_fifos(loaded.plan, loaded.types);
    PreparedRun run(loaded, [this](const std::string& text) { log({}, text); });
    coord::RunSetup setup = run.setup();
    setup.items_limit = options_.items;
    setup.duration = duration;
    setup.drain_timeout = drain_timeout;
    setup.log = [this](const auto& worker, const auto& line) { log(worker, line); };
    setup.crashed = [this](const coord::CrashReport& report) { crashes_.add(report); };
    const coord::Coordinator* running = nullptr;
    MetricsFile metrics(options_.metrics, [this](const std::string& text) { log({}, text); });
    setup.progress = [&] {
      progress_.show(running->summary(), running->restarts());
      metrics.update([&] { return running->live_status(); });
    };
    coord::Coordinator coordinator(std::move(setup));
    running = &coordinator;
    const coord::Outcome outcome = run_unwaited(coordinator);
    metrics.finish(coordinator.live_status());
    progress_.clear();
    if (outcome != coord::Outcome::failed) {
      run.keep_outputs();
    }
    return finish({.outcome = outcome,
                   .failure = coordinator.failure() ? coordinator.failure()->text : "",
                   .audit = coord::audit(run.topology(), coordinator.view()),
                   .letters_command = run.letters_command(),
                   .drain_timeout = coordinator.drain_timed_out() ? drain_timeout : std::nullopt,
                   .accept_dead_letters = options_.accept_dead_letters},
                  coordinator);
  }

 private:
  void log(const std::string& worker, const std::string& line) {
    const bool own_word = worker.empty();
    const bool loss = line.starts_with("lost: ");  // as report_loss() writes it
    if (!loss && (options_.quiet || options_.log_level == "error" || (!own_word && options_.log_level == "warning"))) {
      return;
    }
    progress_.clear();
    warn(own_word ? line : "[" + worker + "] " + line);
  }

  int finish(const RunEnd& end, const coord::Coordinator& coordinator) const {
    if (!options_.quiet) {
      show(summary_table(coordinator.summary(), look_of(STDERR_FILENO)) +
           shown_on(STDERR_FILENO, crash_text(crashes_)));
    }
    if (const std::string line = last_line(end); !line.empty()) {
      warn(line);
    }
    return exit_code(end);
  }

  RunOptions options_;
  ProgressLine progress_;
  coord::CrashLog crashes_;
};

}  // namespace

void add_run(CLI::App& app, Command& chosen) {
  CLI::App& command = add_command(
      app, "run", "Run a pipeline until its source ends, or Ctrl-C drains it",
      "  pystream-coord run pipeline.json\n"
      "  pystream-coord run pipeline.json --set Resize.width=640 --items 1000\n"
      "  pystream-coord run pipeline.json --input film.avi --output out/ --duration 10s\n"
      "\nSignals: the first SIGINT (Ctrl-C), SIGTERM or SIGHUP drains: the source stops, and "
      "the items inside are processed. A second one after half a second, or a second Ctrl-C, stops at "
      "once; so does SIGQUIT. SIGHUP only drains. SIGHUP, SIGINT and SIGQUIT have no effect if they were ignored at "
      "the start (nohup, a background job of a script).");
  const auto options = std::make_shared<RunOptions>();
  add_plan_options(command, options->plan);
  command.add_option("--items", options->items, "End the source after this many items; 0: no limit")
      ->check(whole_number())
      ->type_name("N");
  command.add_option("--duration", options->duration, "Drain after this time")->type_name("TIME");
  command
      .add_option("--drain-timeout", options->drain_timeout,
                  "Stop a drain that takes longer, and report which items were given up; 0s: no limit")
      ->capture_default_str()
      ->type_name("TIME");
  command.add_flag("-q,--quiet", options->quiet,
                   "Show no progress, log, notice of a long drain, or table, but still errors and what did not "
                   "arrive");
  command.add_flag("--accept-dead-letters", options->accept_dead_letters,
                   "End with exit code 0, not 3, if items became dead letters");
  command
      .add_option("--metrics", options->metrics,
                  "Keep the figures of the run in this file, for the textfile collector of Prometheus' node exporter "
                  "(its name must end in .prom)")
      ->type_name("FILE");
  command
      .add_option("--log-level", options->log_level,
                  "What to log: error, warning (also the coordinator's actions), info (also what stages print)")
      ->check(CLI::IsMember({"error", "warning", "info"}))
      ->capture_default_str()
      ->type_name("LEVEL");
  command.callback([options, &chosen] { chosen = [options] { return RunCommand(*options).run(); }; });
}

}  // namespace pystream::cli
