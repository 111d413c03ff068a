#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "profile/summary.hpp"
#include "store/database.hpp"

namespace pystream::store {

/// Throws ProfilingError if there is no such run.
profile::RunSummary read_summary(Database& database, std::int64_t run);

/// "last", "last-1", … or a number, turned into the number of a run. `unprofiled`: runs that have left dead letters and
/// nothing else count too. Throws ProfilingError.
std::int64_t find_run(Database& database, const std::string& which, bool unprofiled = false);

/// The profile database of a folder, for reading. Throws ProfilingError if there is none, or of a newer version.
Database open_for_reading(const std::filesystem::path& folder);

}  // namespace pystream::store
