#pragma once

#include <sys/stat.h>

namespace pystream::core {

/// Whether this run's coordinator has locked the file, as it does with each file that the run writes.
bool is_output_of_this_run(const struct stat& file);

}  // namespace pystream::core
