#pragma once

#include <span>
#include <string>

#include "base/text_table.hpp"
#include "coord/run_summary.hpp"

namespace pystream::cli {

/// The table at the end of a run: a row per stage, the bottleneck marked and named below.
std::string summary_table(std::span<const coord::StageSummary> stages, const base::TextTable::Look& look);

}  // namespace pystream::cli
