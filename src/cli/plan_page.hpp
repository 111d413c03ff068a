#pragma once

#include <string>

namespace pystream::cli {

/// The manual page of plan files, pystream-plan(5), from their JSON Schema.
std::string plan_page();

}  // namespace pystream::cli
