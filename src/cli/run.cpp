#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "base/clock.hpp"
#include "base/number_text.hpp"
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
#include "coord/service_manager.hpp"

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

const std::map<std::string, LogFormat> kLogFormats{
    {"text", LogFormat::text}, {"json", LogFormat::json}, {"journal", LogFormat::journal}};

/// What a JSON log has for its last line, even if there is nothing to say.
std::string all_arrived(const coord::Audit& audit) {
  return fmt::format("{} in, {} out", base::count_text(audit.in, "item"), audit.out);
}

std::chrono::nanoseconds now() {
  return std::chrono::nanoseconds(base::now_ns());
}

class RunCommand {
 public:
  explicit RunCommand(RunOptions options)
      : options_(std::move(options)),
        progress_(!options_.quiet && log_format() == LogFormat::text && ::isatty(STDERR_FILENO) == 1),
        service_(coord::ServiceVariables::take(), ::getpid(),
                 [this](const std::string& text) { log({.text = text}); }) {
    set_log_pipeline(run_name(options_.plan.file));
  }

  int run() {
    const auto duration = duration_of("--duration", options_.duration);
    const auto drain_timeout = drain_timeout_of(options_);
    LoadedPlan loaded = load_plan(options_.plan);
    for (const std::string& note : loaded.notes) {
      log({.text = note});
    }
    if (loaded.part && !loaded.part->first && options_.items > 0) {
      throw BadUsage("--items ends the source of a plan, and the part of " + loaded.part->host +
                     " has it not; expected --items at the part that has it");
    }
    loaded.descriptors.open_input_fifos(loaded.plan, loaded.types);
    PreparedRun run(loaded, [this](const std::string& text) { log({.text = text}); });
    coord::RunSetup setup = run.setup();
    setup.items_limit = options_.items;
    setup.duration = duration;
    setup.drain_timeout = drain_timeout;
    setup.part = loaded.part;
    setup.log = [this](const coord::LogLine& line) { log(line); };
    setup.crashed = [this](const coord::CrashReport& report) { on_crash(report); };
    const coord::Coordinator* running = nullptr;
    MetricsFile metrics(options_.metrics, [this](const std::string& text) { log({.text = text}); });
    tell_service_of(setup);
    setup.progress = [&] {
      show_progress(*running);
      metrics.update([&] { return running->live_status(); });
    };
    coord::Coordinator coordinator(std::move(setup));
    running = &coordinator;
    const coord::Outcome outcome = run_unwaited(coordinator);
    service_.alive(now());
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
                   .accept_dead_letters = options_.accept_dead_letters,
                   .paused = coordinator.paused()},
                  coordinator);
  }

 private:
  /// It learns how the run is going from now on.
  void tell_service_of(coord::RunSetup& setup) {
    setup.progress_period = std::min(setup.progress_period, service_.alive_period().value_or(setup.progress_period));
    setup.ready = [this, workers = setup.topology->workers.size()] {
      service_.ready("running " + base::count_text(workers, "worker"));
    };
    setup.draining = [this] { service_.stopping("draining"); };
    setup.ended = [this] { service_.stopping("every worker has ended"); };
    setup.failed = [this](const TerminationReason& reason) { service_.stopping("failed: " + reason.text); };
  }

  void show_progress(const coord::Coordinator& running) {
    const std::string text = figures_.text(running.summary(), running.restarts());
    progress_.show(text);
    service_.alive(now());
    service_.status(running.drained() ? "draining; " + text : text, now());
  }

  /// Logs for programs have no block about crashes at their end.
  void on_crash(const coord::CrashReport& report) {
    crashes_.add(report);
    if (log_format() == LogFormat::json) {
      say({.message = coord::describe(report), .level = LogLevel::error, .stage = report.stage, .item = report.item});
    }
  }

  void log(const coord::LogLine& line) {
    const bool own_word = line.worker.empty();
    const bool loss = line.text.starts_with("lost: ");  // as report_loss() writes it
    if (!loss && (options_.quiet || options_.log_level == "error" || (!own_word && options_.log_level == "warning"))) {
      return;
    }
    progress_.clear();
    say({.message = line.text,
         .level = loss       ? LogLevel::error
                  : own_word ? LogLevel::warning
                             : LogLevel::info,
         .worker = line.worker,
         .stage = line.stage,
         .item = line.item});
  }

  int finish(const RunEnd& end, const coord::Coordinator& coordinator) {
    if (!options_.quiet && log_format() != LogFormat::json) {
      show(summary_table(coordinator.summary(), look_of(STDERR_FILENO)) +
           shown_on(STDERR_FILENO, crash_text(crashes_)));
    }
    const int code = exit_code(end);
    std::string line = last_line(end);
    service_.stopping(line.empty() ? all_arrived(end.audit) : line);
    if (line.empty() && log_format() == LogFormat::json && !options_.quiet) {
      line = all_arrived(end.audit);
    }
    if (!line.empty()) {
      say({.message = line, .level = code == kDone ? LogLevel::info : LogLevel::error});
    }
    return code;
  }

  RunOptions options_;
  Progress figures_;
  ProgressLine progress_;
  coord::ServiceManager service_;
  coord::CrashLog crashes_;
};

}  // namespace

void add_run(CLI::App& app, Command& chosen) {
  CLI::App& command = add_command(
      app, "run", "Run a pipeline until its source ends, or Ctrl-C drains it",
      "  pystream-coord run pipeline.json\n"
      "  pystream-coord run pipeline.json --set Resize.width=640 --items 1000\n"
      "  pystream-coord run pipeline.json --input film.avi --output out/ --duration 10s\n"
      "  pystream-coord run pipeline.json --host gpu\n"
      "\nSignals: the first SIGINT (Ctrl-C), SIGTERM or SIGHUP drains: the source stops, and "
      "the items inside are processed. A second one after half a second, or a second Ctrl-C, stops at "
      "once; so does SIGQUIT. SIGHUP only drains. SIGHUP, SIGINT and SIGQUIT have no effect if they were ignored at "
      "the start (nohup, a background job of a script). A part of a plan over several hosts (--host) pauses where "
      "another "
      "run drains: the items inside are processed, and the same command goes on behind them (exit code 75).");
  const auto options = std::make_shared<RunOptions>();
  add_plan_options(command, options->plan);
  add_host_options(command, options->plan);
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
  command
      .add_option_function<std::string>(
          "--log-format", [](const std::string& name) { set_log_format(kLogFormats.at(name)); },
          "How standard error is written: text; json (each line an object with time, level, pipeline, stage, item, "
          "message); journal (text with levels for journald; the default if journald reads it)")
      ->check(CLI::IsMember({"text", "json", "journal"}))
      ->type_name("FORMAT");
  command.callback([options, &chosen] { chosen = [options] { return RunCommand(*options).run(); }; });
}

}  // namespace pystream::cli
