#pragma once

#include <string>

#include "cli/completion.hpp"

namespace pystream::cli {

/// Values by the name that help has for them: FILE, DIR, PLAN, PIPELINE (those that run), RUN (of the profile
/// database), TYPE (of stages), STAGE.PARAM=VALUE (of `plan`). None for other names, and none of what cannot be read
/// now.
Candidates values_named(const std::string& name, const std::string& plan);

}  // namespace pystream::cli
