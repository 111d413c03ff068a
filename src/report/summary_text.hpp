#pragma once

#include <string>

#include "base/text_table.hpp"
#include "profile/summary.hpp"

namespace pystream::report {

std::string to_table(const profile::RunSummary& summary, const base::TextTable::Look& look);
std::string to_json(const profile::RunSummary& summary);
std::string to_csv(const profile::RunSummary& summary);

}  // namespace pystream::report
