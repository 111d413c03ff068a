#pragma once

#include <string>

namespace pystream::core {

/// Whether this run writes the file that was opened by that path: its coordinator has locked it, or holds its folder
/// under a template that its name fits.
bool is_output_of_this_run(int file, const std::string& path);

}  // namespace pystream::core
