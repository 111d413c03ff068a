#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/text_table.hpp"
#include "store/windows.hpp"

/// Comparing two runs, for people and as a gate in CI.
///
/// Noise: a run's windows are put together to at most kBlocks blocks in their order (neighbouring windows are not
/// independent); blocks are drawn with replacement, 1,000 times for each run, and the change between the runs is
/// computed for each drawing. The middle 95 % of these changes are the interval. A change counts as real only if the
/// interval does not contain "no change". Runs of fewer than kFewestBlocks windows are drawn item by item from their
/// histograms instead, which takes items as independent: run longer for a gate.
namespace pystream::report {

inline constexpr std::size_t kBlocks = 60;
inline constexpr std::size_t kFewestBlocks = 5;

enum class Metric { mean, p50, p90, p99, p999, max, throughput };
std::string_view to_string(Metric metric);

/// "p99>+10%", "throughput<-5%", "Decode:mean>+20%" (one stage only).
struct FailCondition {
  std::string text;
  std::string key;  ///< as plan/stage_names.hpp takes it; empty: every key
  Metric metric = Metric::mean;
  bool greater = true;
  double change = 0;  ///< 0.1: 10 %
};
/// Throws Error that says what is expected.
FailCondition parse_fail_condition(const std::string& text);

struct Change {
  std::string key;
  Metric metric = Metric::mean;
  double before = 0;  ///< seconds, or items/s
  double after = 0;
  double change = 0;  ///< 0.1: 10 % more
  double low = 0;     ///< of the interval
  double high = 0;
  bool real() const { return low > 0 || high < 0; }
};

struct Comparison {
  std::vector<Change> changes;  ///< of keys that both runs have, in the order of the first
  std::vector<std::string> only_before;
  std::vector<std::string> only_after;
  bool by_items = false;  ///< at least one run was too short for windows
};

Comparison compare(const std::vector<store::KeyWindows>& before, const std::vector<store::KeyWindows>& after,
                   const std::vector<Metric>& metrics);

/// Those that meet a condition and are real, as lines for people. Throws Error if a condition names no stage of both
/// runs, or several.
std::vector<std::string> failures(const Comparison& comparison, const std::vector<FailCondition>& conditions);
std::string to_table(const Comparison& comparison, const base::TextTable::Look& look = {});

}  // namespace pystream::report
