#pragma once

#include <string>

#include "base/text_table.hpp"
#include "profile/summary.hpp"

namespace pystream::profile {

std::string to_table(const RunSummary& summary, const base::TextTable::Look& look);
std::string to_json(const RunSummary& summary);
std::string to_csv(const RunSummary& summary);

}  // namespace pystream::profile
