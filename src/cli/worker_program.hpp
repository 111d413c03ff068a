#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>

namespace pystream::cli {

/// Declares --worker-program.
void add_worker_program_option(CLI::App& command, std::string& worker_program);

/// coord::find_worker_program(); a wrong --worker-program is BadUsage.
std::filesystem::path worker_program_of(const std::string& wanted);

}  // namespace pystream::cli
