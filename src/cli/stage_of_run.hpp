#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "profile/store_database.hpp"

namespace pystream::cli {

/// The profile key of the stage or pipeline of a run (none: of any run) that `name` means, as plan/stage_names.hpp
/// takes it. Throws BadUsage if there is none, or more than one.
std::string stage_of_run(profile::Database& database, std::optional<std::int64_t> run, const std::string& name);

}  // namespace pystream::cli
