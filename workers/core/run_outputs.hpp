#pragma once

#include <sys/stat.h>

#include <string>

namespace pystream::core {

/// Whether this run writes the file that was opened by that path: its coordinator has locked it, or holds its folder
/// under a template that its name fits. `info`: of the file. The locks are read once: the coordinator takes them before
/// it starts a worker.
bool is_output_of_this_run(int file, const struct stat& info, const std::string& path);

}  // namespace pystream::core
