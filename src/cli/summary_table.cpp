#include "cli/summary_table.hpp"

#include <spdlog/fmt/fmt.h>

#include <cmath>
#include <thread>

#include "base/number_text.hpp"
#include "cli/text.hpp"
#include "plan/stage_names.hpp"
#include "profile/replica_advice.hpp"

namespace pystream::cli {
namespace {

std::string share(double value) {
  return base::percent_text(value, 0);
}

base::TextTable empty_table() {
  return base::TextTable({{.title = "stage", .cut = base::TextTable::Cut::middle},
                          {.title = "items", .right = true},
                          {.title = "mean", .right = true},
                          {.title = "p99", .right = true, .drop = 6},
                          {.title = "items/s", .right = true, .drop = 2},
                          {.title = "working", .right = true, .drop = 1},
                          {.title = "waiting", .right = true, .drop = 7},
                          {.title = "blocked", .right = true, .drop = 5},
                          {.title = "restarts", .right = true, .drop = 4},
                          {.title = "errors", .right = true, .drop = 3},
                          {.drop = 9}});
}

}  // namespace

std::string summary_table(std::span<const profile::KeySummary> stages, const base::TextTable::Look& look) {
  base::TextTable table = empty_table();
  const profile::KeySummary* bottleneck = nullptr;
  for (const profile::KeySummary& stage : stages) {
    table.add({plan::replicas_name(stage.key, stage.replicas), std::to_string(stage.items), pretty_time(stage.mean_s),
               pretty_time(stage.p99_s), stage.items_per_s > 0 ? pretty_count(stage.items_per_s) : "-",
               share(stage.working), share(stage.waiting), share(stage.blocked), std::to_string(stage.restarts),
               std::to_string(stage.errors), stage.bottleneck ? "<- bottleneck" : ""},
              stage.bottleneck ? "\x1b[33m" : "");
    bottleneck = stage.bottleneck ? &stage : bottleneck;
  }
  std::string text = table.text(look);
  if (bottleneck != nullptr) {
    const std::string line =
        fmt::format("bottleneck: {} works {} of its time, {} an item", plan::short_key(bottleneck->key),
                    share(bottleneck->working), pretty_time(bottleneck->mean_s)) +
        profile::advice_text(profile::advise_replicas(stages, std::thread::hardware_concurrency()));
    text += base::lines_within(line, look);
  }
  return text;
}

}  // namespace pystream::cli
