#include "report/diff.hpp"

#include "cli/commands.hpp"
#include "cli/terminal.hpp"
#include "profile/home.hpp"
#include "store/stored_summary.hpp"

namespace pystream::cli {
namespace {

struct DiffOptions {
  std::string before;
  std::string after;
  std::vector<std::string> fail_if;
  std::string folder;
};

std::vector<report::FailCondition> conditions_of(const DiffOptions& options) {
  std::vector<report::FailCondition> conditions;
  for (const std::string& text : options.fail_if) {
    try {
      conditions.push_back(report::parse_fail_condition(text));
    } catch (const Error& error) {
      throw BadUsage(std::string("--fail-if: ") + error.what());
    }
  }
  return conditions;
}

std::vector<report::Metric> metrics_of(const std::vector<report::FailCondition>& conditions) {
  using report::Metric;
  std::vector<Metric> metrics{Metric::mean, Metric::p50, Metric::p99, Metric::throughput};
  for (const report::FailCondition& condition : conditions) {
    if (std::find(metrics.begin(), metrics.end(), condition.metric) == metrics.end()) {
      metrics.push_back(condition.metric);
    }
  }
  return metrics;
}

std::vector<std::string> failures_of(const report::Comparison& comparison,
                                     const std::vector<report::FailCondition>& conditions) {
  try {
    return report::failures(comparison, conditions);
  } catch (const Error& error) {
    throw BadUsage(std::string("--fail-if: ") + error.what());
  }
}

int compare(const DiffOptions& options) {
  const auto conditions = conditions_of(options);
  store::Database database = store::open_for_reading(profile::profiler_folder(options.folder));
  const auto windows = [&](const std::string& run) {
    return store::read_windows(database, store::read_summary(database, store::find_run(database, run)).run);
  };
  const report::Comparison comparison =
      report::compare(windows(options.before), windows(options.after), metrics_of(conditions));
  print(report::to_table(comparison, look_of(STDOUT_FILENO)));
  if (comparison.changes.empty() && !conditions.empty()) {
    throw Error("the two runs have no stage in common: nothing could be compared");
  }
  const std::vector<std::string> failed = failures_of(comparison, conditions);
  for (const std::string& line : failed) {
    warn(line);
  }
  return failed.empty() ? kDone : kFailed;
}

}  // namespace

void add_diff(CLI::App& app, Command& chosen) {
  CLI::App& command = add_command(app, "diff", "Compare two runs; fail if one is worse than allowed",
                                  "  pystream-coord diff last-1 last\n"
                                  "  pystream-coord diff 12 13 --fail-if 'p99>+10%' --fail-if 'throughput<-5%'\n"
                                  "  pystream-coord diff 12 13 --fail-if 'Decode:mean>+20%'");
  const auto options = std::make_shared<DiffOptions>();
  command.add_option("RUN_A", options->before, "The run before: a number, or last, last-1, ...")->required();
  command.add_option("RUN_B", options->after, "The run after")->required();
  command
      .add_option(
          "--fail-if", options->fail_if,
          "Exit with 1 if a metric (mean, p50, p90, p99, p99.9, max, throughput) changed by more than this and noise")
      ->type_name("CONDITION");
  command.add_option("--folder", options->folder, "Profiler folder, if it is not the default one")->type_name("DIR");
  command.callback([options, &chosen] { chosen = [options] { return compare(*options); }; });
}

}  // namespace pystream::cli
