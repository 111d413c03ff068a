#include "coord/chaos.hpp"

#include <spdlog/fmt/fmt.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <pystream/params.hpp>
#include <random>

#include "base/blocked_signals.hpp"
#include "base/number_text.hpp"
#include "base/process_start.hpp"
#include "cli/chaos_place.hpp"
#include "cli/commands.hpp"
#include "cli/load_plan.hpp"
#include "cli/prepared_run.hpp"
#include "cli/standard_error.hpp"
#include "cli/style.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"
#include "coord/audit.hpp"
#include "plan/stage_names.hpp"

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
  std::string interval;  ///< empty: short enough for the plan
  std::string keep;
  bool verify = false;
  bool log = false;
};

constexpr std::chrono::nanoseconds kFirstInterval = std::chrono::milliseconds(10);
constexpr std::chrono::nanoseconds kShortestInterval = std::chrono::microseconds(100);
constexpr int kRunsInVain = 3;  ///< runs without a kill, one after another, before it gives up

std::chrono::nanoseconds interval_of(const ChaosOptions& options) {
  if (options.interval.empty()) {
    return kFirstInterval;
  }
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
  std::uint64_t differing = 0;  ///< runs whose output differs from that of the run without faults
  std::string trouble;          ///< why it ended early
  bool drained = false;         ///< the last run, after its last kill
  bool interrupted = false;

  bool clean(std::uint64_t kills) const {
    return trouble.empty() && chaos.kills >= kills && audit.lost == 0 && audit.doubled == 0 && audit.refused == 0 &&
           audit.dropped == 0 && audit.given_up == 0 && audit.losses == 0 && differing == 0;
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
    audit.given_up += more.given_up;
    audit.letters += more.letters;
    audit.losses += more.losses;
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

/// What the source reads if that can be read only once: standard input, another descriptor, or a FIFO; else empty.
std::string read_only_once(const plan::Plan& plan) {
  const ParamValue* path = plan.source.stage->params.find("path");
  const auto* text = path == nullptr ? nullptr : std::get_if<std::string>(path);
  struct stat info {};
  if (text == nullptr) {
    return {};
  }
  if (*text == "-") {
    return "standard input";
  }
  return descriptor_named(*text) || (::stat(text->c_str(), &info) == 0 && S_ISFIFO(info.st_mode)) ? *text : "";
}

class ChaosCommand {
 public:
  explicit ChaosCommand(ChaosOptions options) : options_(std::move(options)), interval_(interval_of(options_)) {
    if (!options_.seed) {
      options_.seed = std::random_device()();
    }
  }

  int run() {
    LoadedPlan loaded = load_plan(options_.plan);
    const std::string once = read_only_once(loaded.plan);
    std::optional<coord::OutputLocks> real_output;  // the runs themselves write elsewhere
    if (options_.plan.output == "-") {
      throw BadUsage("--output: standard output takes the report; name a file for the output of the last run");
    }
    if (!options_.plan.output.empty()) {
      real_output.emplace(checked_files(loaded, plan::make_topology(loaded.plan), true), warn);
    }
    if (options_.verify && !once.empty()) {
      throw BadUsage("--verify: the plan has to run twice, and " + once +
                     " can be read only once; name a file with --input");
    }
    loaded.descriptors.open_input_fifos(loaded.plan, loaded.types);
    const base::BlockedSignals blocked;  // but for those that a run takes: the place is to be removed in any case
    std::optional<ChaosPlace> kept_place(std::in_place, loaded, options_.keep);
    ChaosPlace& place = *kept_place;
    if (options_.verify && !place.has_output()) {
      throw BadUsage("--verify: the sink writes nothing that could be compared");
    }
    print(fmt::format("seed {}\n", *options_.seed));
    if (options_.verify) {
      run_undisturbed(loaded);
      place.keep_undisturbed();
    }
    while (verdict_.chaos.kills < options_.kills && verdict_.trouble.empty() && !verdict_.interrupted) {
      run_disturbed(loaded);
      if (options_.verify && verdict_.trouble.empty() && !verdict_.interrupted) {
        if (const std::string difference = place.difference(); !difference.empty()) {
          verdict_.audit.faults.push_back(difference);
          ++verdict_.differing;
        }
      }
      if (!once.empty() && verdict_.chaos.kills < options_.kills && verdict_.trouble.empty()) {
        verdict_.trouble = too_soon() + "; " + once + " can be read only once: name a file with --input";
      }
    }
    if (real_output && place.deliver(options_.plan.output)) {
      real_output->keep_made();
    }
    kept_place.reset();
    base::unblock_all_signals();  // the report waits for its reader, and a signal must be able to end that
    report();
    return verdict_.interrupted ? kInterrupted : verdict_.clean(options_.kills) ? kDone : kFailed;
  }

 private:
  void run_undisturbed(const LoadedPlan& loaded) {
    PreparedRun run(loaded, [this](const std::string& text) { log({.text = text}); });
    coord::RunSetup setup = run.setup();
    setup.items_limit = options_.items;
    coord::Coordinator coordinator(std::move(setup));
    switch (run_unwaited(coordinator)) {
      case coord::Outcome::done:
        if (coordinator.drained()) {
          throw Error("the undisturbed run was told to end before its source ended; there is nothing to compare with");
        }
        run.keep_outputs();
        return;
      case coord::Outcome::interrupted:
        throw Error("the undisturbed run was interrupted");
      case coord::Outcome::failed:
        throw Error("the undisturbed run failed: " + coordinator.failure()->text);
    }
  }

  void run_disturbed(const LoadedPlan& loaded) {
    PreparedRun run(loaded, [this](const std::string& text) { log({.text = text}); });
    coord::RunSetup setup = run.setup();
    setup.items_limit = options_.items;
    setup.log = [this](const coord::LogLine& line) { log(line); };
    coord::Coordinator coordinator(std::move(setup));
    coord::Chaos chaos(run.topology(), coordinator,
                       {.mode = kModes.at(options_.mode),
                        .seed = *options_.seed + verdict_.runs,
                        .kills = options_.kills - verdict_.chaos.kills,
                        .interval = interval_,
                        .over = [&] {
                          if (!options_.verify && options_.items == 0) {
                            verdict_.drained = true;
                            coordinator.drain();
                          }
                        }});
    const coord::Outcome outcome = run_unwaited(coordinator);
    chaos.collect();
    if (outcome != coord::Outcome::failed) {
      run.keep_outputs();
    }
    // A run that failed leaves items inside; they are no verdict on the recovery.
    coord::Audit audit = coord::audit(run.topology(), coordinator.view());
    if (outcome != coord::Outcome::done) {
      audit = {.refused = audit.refused};
    }
    verdict_.add(chaos.figures(), audit);
    verdict_.interrupted = outcome == coord::Outcome::interrupted || coordinator.interrupted() ||
                           (coordinator.drained() && !verdict_.drained);  // by `pystream-coord stop`
    if (outcome == coord::Outcome::failed) {
      verdict_.trouble = coordinator.failure()->text;
    } else if (!verdict_.interrupted) {
      look_at_kills(chaos.figures().kills);
    }
  }

  /// A run that ends before the first kill says nothing: the next one is struck at sooner, or there is none.
  void look_at_kills(std::uint64_t kills) {
    if (kills > 0) {
      runs_in_vain_ = 0;
    } else if (options_.interval.empty() && interval_ > kShortestInterval) {
      interval_ = std::max(interval_ / 4, kShortestInterval);
    } else if (++runs_in_vain_ == kRunsInVain) {
      verdict_.trouble =
          too_soon() + "; give it more items" + (options_.interval.empty() ? "" : ", or a shorter --interval");
    }
  }

  std::string too_soon() const {
    return fmt::format("the source ended too soon: after {} of {} kills", verdict_.chaos.kills, options_.kills);
  }

  void log(const coord::LogLine& line) const {
    if (options_.log) {
      say({.message = line.text, .worker = line.worker, .stage = line.stage, .item = line.item});
    }
  }

  void report() const {
    const Style style(STDOUT_FILENO);
    const coord::Audit& audit = verdict_.audit;
    std::string text = fmt::format("kills     {} and {} stops, in {}\n", verdict_.chaos.kills, verdict_.chaos.stops,
                                   base::count_text(verdict_.runs, "run")) +
                       fmt::format("items     {} in, {} out: {} lost, {} doubled, {} out of order\n", audit.in,
                                   audit.out, audit.lost, audit.doubled, audit.refused) +
                       fmt::format("recovery  {}\n", recovery_text(verdict_.chaos.recoveries_ns));
    if (audit.losses > 0) {
      text += fmt::format("losses    {} of data outside, reported by sources and sinks; --log shows {}\n", audit.losses,
                          audit.losses == 1 ? "it" : "them");
    }
    if (audit.dropped + audit.given_up > 0) {
      text += fmt::format("besides   {} dropped by full links, {} given up after errors ({})\n", audit.dropped,
                          audit.given_up, base::count_text(audit.letters, "dead letter"));
    }
    if (options_.verify && verdict_.runs > 0) {
      text += verdict_.differing == 0
                  ? "output    the same bytes as undisturbed\n"
                  : fmt::format("output    differs in {}\n", base::count_text(verdict_.differing, "run"));
    }
    if (verdict_.drained) {
      text += "drained   after the last kill; --verify lets the source come to its end\n";
    }
    if (!options_.keep.empty()) {
      text += "kept      " + options_.keep + "\n";
    }
    for (const std::string& fault : audit.faults) {
      text += "          " + fault + "\n";
    }
    if (!verdict_.trouble.empty()) {
      text += "          " + verdict_.trouble + "\n";
    }
    const bool clean = verdict_.clean(options_.kills);
    print(shown_on(STDOUT_FILENO, text) + "verdict   " +
          (clean                  ? style.green("clean")
           : verdict_.interrupted ? "interrupted"
                                  : style.red("not clean")) +
          "\n");
  }

  ChaosOptions options_;
  std::chrono::nanoseconds interval_;
  int runs_in_vain_ = 0;
  Verdict verdict_;
};

}  // namespace

void add_chaos(CLI::App& app, Command& chosen) {
  CLI::App& command = add_command(app, "chaos",
                                  "Run a pipeline in a temporary folder while its workers are killed and stopped, and "
                                  "report whether items were lost",
                                  "  pystream-coord chaos pipeline.json --kills 1000\n"
                                  "  pystream-coord chaos pipeline.json --kills 50 --seed 7 --mode pairs --verify");
  const auto options = std::make_shared<ChaosOptions>();
  add_plan_options(command, options->plan);
  command.get_option("--output")->description("Where to write the output of the last run; by default it is deleted");
  command.add_option("--items", options->items, "End the source after this many items; 0: no limit")
      ->check(whole_number())
      ->type_name("N");
  command
      .add_option("--kills", options->kills, "How many workers to kill; if the pipeline ends before, it is run again")
      ->type_name("N")
      ->check(whole_number(1));
  command.add_option("--seed", options->seed, "Seed of the random choices; the same seed makes the same choices")
      ->check(whole_number())
      ->type_name("S");
  command
      .add_option(
          "--mode", options->mode,
          "What to kill: single workers, pairs of neighbours, or all at once; stop: SIGSTOP and later SIGCONT, and "
          "kills as well; mixed: all of these")
      ->check(CLI::IsMember({"single", "pairs", "all", "stop", "mixed"}))
      ->capture_default_str()
      ->type_name("MODE");
  command.add_option("--interval", options->interval, "Time between two faults (10ms; less if the plan ends sooner)")
      ->type_name("TIME");
  command.add_flag("--verify", options->verify,
                   "First run the plan without faults; let each run reach its end, and compare the sinks' outputs");
  command
      .add_option("--keep", options->keep,
                  "Run in this new folder instead of a temporary one, and keep output and profiles there")
      ->type_name("DIR");
  command.add_flag("--log", options->log, "Show the log of the coordinator and of the stages");
  command.callback([options, &chosen] { chosen = [options] { return ChaosCommand(*options).run(); }; });
}

}  // namespace pystream::cli
