#include "cli/summary_table.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

namespace pystream::cli {
namespace {

constexpr std::string_view kMainPrefix = "MainPipeline__";

std::string three_digits(double value) {
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f}", value, decimals);
}

std::string share(double value) {
  return fmt::format("{:.0f} %", 100 * value);
}

std::string_view short_key(std::string_view key) {
  return key.starts_with(kMainPrefix) ? key.substr(kMainPrefix.size()) : key;
}

}  // namespace

std::string pretty_time(double seconds) {
  if (seconds < 999.5e-9) {
    return fmt::format("{:.0f} ns", seconds * 1e9);
  }
  if (seconds < 999.5e-6) {
    return three_digits(seconds * 1e6) + " us";
  }
  if (seconds < 999.5e-3) {
    return three_digits(seconds * 1e3) + " ms";
  }
  return three_digits(seconds) + " s";
}

std::string pretty_count(double count) {
  if (count < 999.5) {
    return count == std::floor(count) ? fmt::format("{:.0f}", count) : three_digits(count);
  }
  if (count < 999.5e3) {
    return three_digits(count * 1e-3) + " k";
  }
  if (count < 999.5e6) {
    return three_digits(count * 1e-6) + " M";
  }
  return three_digits(count * 1e-9) + " G";
}

std::string summary_table(std::span<const coord::StageSummary> stages, bool colour) {
  std::size_t width = 5;
  for (const coord::StageSummary& stage : stages) {
    width = std::max(width, short_key(stage.key).size());
  }
  const std::string_view bold = colour ? "\x1b[1m" : "";
  const std::string_view warm = colour ? "\x1b[33m" : "";
  const std::string_view plain = colour ? "\x1b[0m" : "";
  std::string text =
      fmt::format("{}{:<{}} {:>9} {:>9} {:>9} {:>9} {:>8} {:>8} {:>8} {:>8} {:>6}{}\n", bold, "stage", width, "items",
                  "mean", "p99", "items/s", "working", "waiting", "blocked", "restarts", "errors", plain);
  const coord::StageSummary* bottleneck = nullptr;
  for (const coord::StageSummary& stage : stages) {
    text +=
        fmt::format("{}{:<{}} {:>9} {:>9} {:>9} {:>9} {:>8} {:>8} {:>8} {:>8} {:>6}{}{}\n",
                    stage.bottleneck ? warm : "", short_key(stage.key), width, stage.items, pretty_time(stage.mean_s),
                    pretty_time(stage.p99_s), stage.items_per_s > 0 ? pretty_count(stage.items_per_s) : "-",
                    share(stage.working), share(stage.waiting), share(stage.blocked), stage.restarts, stage.errors,
                    stage.bottleneck ? "  <- bottleneck" : "", stage.bottleneck ? plain : "");
    bottleneck = stage.bottleneck ? &stage : bottleneck;
  }
  if (bottleneck != nullptr) {
    text += fmt::format("bottleneck: {} works {} of its time, {} an item\n", short_key(bottleneck->key),
                        share(bottleneck->working), pretty_time(bottleneck->mean_s));
  }
  return text;
}

}  // namespace pystream::cli
