#pragma once

#include <span>
#include <string>

#include "base/text_table.hpp"
#include "profile/summary.hpp"

namespace pystream::cli {

/// The table at the end of a run: a row per stage, the bottleneck marked and named below.
std::string summary_table(std::span<const profile::KeySummary> stages, const base::TextTable::Look& look);

}  // namespace pystream::cli
