#pragma once

#include <pystream/log.hpp>
#include <string_view>

namespace pystream::base {

/// Says something in this process, if the level is high enough; within the logger, on standard error. Not for
/// coordinators and workers, whose copy of the logger may have been locked by a thread that they do not have.
void log(LogLevel level, std::string_view text);
/// The same, but false, and nothing is said, if a thread is in the logger just now.
[[nodiscard]] bool try_log(LogLevel level, std::string_view text);

}  // namespace pystream::base
