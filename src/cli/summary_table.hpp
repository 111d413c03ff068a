#pragma once

#include <span>
#include <string>

#include "coord/run_summary.hpp"

namespace pystream::cli {

/// The table at the end of a run: a row per stage, the bottleneck marked and named below. `bold` and colours only
/// where `colour` is true.
std::string summary_table(std::span<const coord::StageSummary> stages, bool colour);

/// "1.23 ms", "45.6 µs"; three significant digits.
std::string pretty_time(double seconds);
/// "1.23 M", "45.6 k"; three significant digits.
std::string pretty_count(double count);

}  // namespace pystream::cli
