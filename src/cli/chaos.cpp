#include "coord/chaos.hpp"

#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <random>

#include "cli/commands.hpp"
#include "cli/compare_output.hpp"
#include "cli/load_plan.hpp"
#include "cli/prepared_run.hpp"
#include "cli/standard_error.hpp"
#include "cli/style.hpp"
#include "cli/summary_table.hpp"
#include "cli/text.hpp"
#include "coord/audit.hpp"

namespace pystream::cli {
namespace {

const std::map<std::string, coord::ChaosMode> kModes{{"single", coord::ChaosMode::single},
                                                     {"pairs", coord::ChaosMode::pairs},
                                                     {"all", coord::ChaosMode::all},
                                                     {"stop", coord::ChaosMode::stop},
                                                     {"mixed", coord::ChaosMode::mixed}};

struct ChaosOptions {
  PlanOptions plan;
  std::uint64_t items = 0;
  std::uint64_t kills = 100;
  std::optional<std::uint64_t> seed;
  std::string mode = "mixed";
  std::string interval = "10ms";
  bool verify = false;
  bool log = false;
};

std::chrono::nanoseconds interval_of(const ChaosOptions& options) {
  const auto interval = parse_duration(options.interval);
  if (!interval || interval->count() <= 0) {
    throw BadUsage("--interval: found \"" + options.interval + "\", expected a number with a unit, such as 10ms or 1s");
  }
  return *interval;
}

/// What all runs of a drill came to.
struct Verdict {
  coord::ChaosFigures chaos;
  coord::Audit audit;
  std::uint64_t runs = 0;
  std::uint64_t differing = 0;  ///< runs whose output was not that of the undisturbed one
  std::string trouble;          ///< why it ended early
  bool interrupted = false;

  bool clean(std::uint64_t kills) const {
    return trouble.empty() && chaos.kills >= kills && audit.lost == 0 && audit.doubled == 0 && audit.refused == 0 &&
           audit.dropped == 0 && audit.set_aside == 0 && differing == 0;
  }
  void add(const coord::ChaosFigures& figures, const coord::Audit& more) {
    chaos.kills += figures.kills;
    chaos.stops += figures.stops;
    chaos.recoveries_ns.insert(chaos.recoveries_ns.end(), figures.recoveries_ns.begin(), figures.recoveries_ns.end());
    audit.in += more.in;
    audit.out += more.out;
    audit.lost += more.lost;
    audit.doubled += more.doubled;
    audit.refused += more.refused;
    audit.dropped += more.dropped;
    audit.set_aside += more.set_aside;
    audit.faults.insert(audit.faults.end(), more.faults.begin(), more.faults.end());
    ++runs;
  }
};

std::string recovery_text(std::vector<std::int64_t> times) {
  if (times.empty()) {
    return "none was seen";
  }
  std::sort(times.begin(), times.end());
  const auto at = [&](double share) {
    const auto rank = static_cast<std::size_t>(share * static_cast<double>(times.size() - 1) + 0.5);
    return pretty_time(static_cast<double>(times[rank]) * 1e-9);
  };
  return fmt::format("p50 {}, p99 {}, max {} (of {})", at(0.5), at(0.99), at(1), times.size());
}

class ChaosCommand {
 public:
  explicit ChaosCommand(ChaosOptions options) : options_(std::move(options)), interval_(interval_of(options_)) {
    if (!options_.seed) {
      options_.seed = std::random_device()();
    }
  }

  int run() {
    const LoadedPlan loaded = load_plan(options_.plan);
    print(fmt::format("seed {}\n", *options_.seed));
    std::optional<OutputKeeper> output;
    if (options_.verify) {
      output.emplace(loaded.plan);
      run_undisturbed(loaded);
      output->keep();
    }
    while (verdict_.chaos.kills < options_.kills && verdict_.trouble.empty() && !verdict_.interrupted) {
      run_disturbed(loaded);
      if (output && verdict_.trouble.empty() && !verdict_.interrupted) {
        if (const std::string difference = output->difference(); !difference.empty()) {
          verdict_.audit.faults.push_back(difference);
          ++verdict_.differing;
        }
      }
    }
    report();
    return verdict_.interrupted ? kInterrupted : verdict_.clean(options_.kills) ? kDone : kFailed;
  }

 private:
  void run_undisturbed(const LoadedPlan& loaded) {
    PreparedRun run(loaded, [this](const std::string& text) { log({}, text); });
    coord::RunSetup setup = run.setup();
    setup.items_limit = options_.items;
    coord::Coordinator coordinator(std::move(setup));
    switch (run_unwaited(coordinator)) {
      case coord::Outcome::done:
        return;
      case coord::Outcome::interrupted:
        throw Error("the undisturbed run was interrupted");
      case coord::Outcome::failed:
        throw Error("the undisturbed run failed: " + coordinator.failure()->text);
    }
  }

  void run_disturbed(const LoadedPlan& loaded) {
    PreparedRun run(loaded, [this](const std::string& text) { log({}, text); });
    coord::RunSetup setup = run.setup();
    setup.items_limit = options_.items;
    setup.log = [this](const std::string& worker, const std::string& line) { log(worker, line); };
    coord::Coordinator coordinator(std::move(setup));
    coord::Chaos chaos(run.topology(), coordinator,
                       {.mode = kModes.at(options_.mode),
                        .seed = *options_.seed + verdict_.runs,
                        .kills = options_.kills - verdict_.chaos.kills,
                        .interval = interval_,
                        .over = [&] {
                          if (!options_.verify && options_.items == 0) {
                            coordinator.drain();
                          }
                        }});
    const coord::Outcome outcome = run_unwaited(coordinator);
    chaos.collect();
    // A run that failed leaves items inside; they are no verdict on the recovery.
    coord::Audit audit = coord::audit(run.topology(), run.layout(), coordinator.view());
    if (outcome != coord::Outcome::done) {
      audit = {.refused = audit.refused};
    }
    verdict_.add(chaos.figures(), audit);
    verdict_.interrupted = outcome == coord::Outcome::interrupted || coordinator.interrupted();
    if (outcome == coord::Outcome::failed) {
      verdict_.trouble = coordinator.failure()->text;
    } else if (chaos.figures().kills == 0 && !verdict_.interrupted) {
      verdict_.trouble =
          fmt::format("the source ended too soon: after {} of {} kills; give it more items, or a shorter --interval",
                      verdict_.chaos.kills, options_.kills);
    }
  }

  void log(const std::string& worker, const std::string& line) const {
    if (options_.log) {
      warn(worker.empty() ? line : "[" + short_key(worker) + "] " + line);
    }
  }

  void report() const {
    const Style style(STDOUT_FILENO);
    const coord::Audit& audit = verdict_.audit;
    std::string text = fmt::format("kills     {} and {} stops, in {}\n", verdict_.chaos.kills, verdict_.chaos.stops,
                                   count_text(verdict_.runs, "run")) +
                       fmt::format("items     {} in, {} out: {} lost, {} doubled, {} out of order\n", audit.in,
                                   audit.out, audit.lost, audit.doubled, audit.refused) +
                       fmt::format("recovery  {}\n", recovery_text(verdict_.chaos.recoveries_ns));
    if (audit.dropped + audit.set_aside > 0) {
      text +=
          fmt::format("besides   {} dropped by full links, {} set aside by errors\n", audit.dropped, audit.set_aside);
    }
    if (options_.verify && verdict_.runs > 0) {
      text += verdict_.differing == 0 ? "output    the same bytes as undisturbed\n"
                                      : fmt::format("output    differs in {}\n", count_text(verdict_.differing, "run"));
    }
    for (const std::string& fault : audit.faults) {
      text += "          " + fault + "\n";
    }
    if (!verdict_.trouble.empty()) {
      text += "          " + verdict_.trouble + "\n";
    }
    const bool clean = verdict_.clean(options_.kills);
    text += std::string("verdict   ") +
            (clean                  ? style.green("clean")
             : verdict_.interrupted ? "interrupted"
                                    : style.red("not clean")) +
            "\n";
    print(text);
  }

  ChaosOptions options_;
  std::chrono::nanoseconds interval_;
  Verdict verdict_;
};

}  // namespace

void add_chaos(CLI::App& app, Command& chosen) {
  CLI::App& command = add_command(
      app, "chaos", "Run a pipeline while its workers are killed and stopped, and tell whether an item was lost",
      "  pystream-coord chaos pipeline.json --kills 1000\n"
      "  pystream-coord chaos pipeline.json --kills 50 --seed 7 --mode pairs --verify");
  const auto options = std::make_shared<ChaosOptions>();
  add_plan_options(command, options->plan);
  command.add_option("--items", options->items, "The source ends after so many items; 0: as it does by itself")
      ->check(whole_number())
      ->type_name("N");
  command
      .add_option("--kills", options->kills, "How many workers are killed; the pipeline is run again if it ends before")
      ->type_name("N")
      ->check(whole_number(1));
  command.add_option("--seed", options->seed, "The same seed chooses in the same way")
      ->check(whole_number())
      ->type_name("S");
  command
      .add_option(
          "--mode", options->mode,
          "Who is struck: single workers, pairs of neighbours, all at once; stop: SIGSTOP and later SIGCONT, kills "
          "too; mixed: all of these")
      ->check(CLI::IsMember({"single", "pairs", "all", "stop", "mixed"}))
      ->capture_default_str()
      ->type_name("MODE");
  command.add_option("--interval", options->interval, "Time between two strikes (10ms)")->type_name("TIME");
  command.add_flag("--verify", options->verify,
                   "Run the plan undisturbed first, each time to its end, and compare what the sink wrote");
  command.add_flag("--log", options->log, "Show what the coordinator and the stages say");
  command.callback([options, &chosen] { chosen = [options] { return ChaosCommand(*options).run(); }; });
}

}  // namespace pystream::cli
