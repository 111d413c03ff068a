#pragma once

#include "cli/frame.hpp"

namespace pystream::cli {

void add_run(CLI::App& app, Command& chosen);
void add_validate(CLI::App& app, Command& chosen);
void add_graph(CLI::App& app, Command& chosen);
void add_stages(CLI::App& app, Command& chosen);
void add_schema(CLI::App& app, Command& chosen);
void add_init(CLI::App& app, Command& chosen);

}  // namespace pystream::cli
