#pragma once

#include "cli/frame.hpp"

/// Commands for programs: help does not list them. They tell what the other commands of `app` declare.
namespace pystream::cli {

void add_complete(CLI::App& app, Command& chosen);
void add_manual(CLI::App& app, Command& chosen);

}  // namespace pystream::cli
