#pragma once

#include <string>

#include "coord/crash_report.hpp"

namespace pystream::cli {

/// The block about crashes at the end of a run: a few lines for each group, with names for the places on the stack.
/// Empty if nothing crashed.
std::string crash_text(const coord::CrashLog& log);

}  // namespace pystream::cli
