#pragma once

#include "cli/frame.hpp"

namespace pystream::cli {

void add_advise(CLI::App& app, Command& chosen);
void add_chaos(CLI::App& app, Command& chosen);
void add_run(CLI::App& app, Command& chosen);
void add_runs(CLI::App& app, Command& chosen);
void add_validate(CLI::App& app, Command& chosen);
void add_graph(CLI::App& app, Command& chosen);
void add_stages(CLI::App& app, Command& chosen);
void add_schema(CLI::App& app, Command& chosen);
void add_profile(CLI::App& app, Command& chosen);
void add_diff(CLI::App& app, Command& chosen);
void add_trace(CLI::App& app, Command& chosen);
void add_report(CLI::App& app, Command& chosen);
void add_dead_letters(CLI::App& app, Command& chosen);
void add_serve(CLI::App& app, Command& chosen);
void add_list(CLI::App& app, Command& chosen);
void add_top(CLI::App& app, Command& chosen);
void add_stop(CLI::App& app, Command& chosen);
void add_init(CLI::App& app, Command& chosen);
void add_why(CLI::App& app, Command& chosen);

}  // namespace pystream::cli
