#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace pystream::cli {

/// The manual page of the program ("pystream-coord") or of one of its commands, from what its help is made of.
std::string command_page(const CLI::App& command);

/// "pystream-coord-run".
std::string page_name(const CLI::App& command);

}  // namespace pystream::cli
