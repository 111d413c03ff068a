#pragma once

#include <string>
#include <string_view>

namespace pystream::worker {

/// What `ps -o comm` and `top` show for a process: at most 15 bytes. The key of a stage or pipeline without the main
/// pipeline, or, if that is too long, its last part; cut at its end only if that is too long too.
std::string process_name(std::string_view key);

/// Gives this process that name.
void take_process_name(std::string_view key);

}  // namespace pystream::worker
