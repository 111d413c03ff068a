#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/load_plan.hpp"

namespace pystream::cli {

struct ReplayOptions {
  PlanOptions plan;                   ///< what the letters are fed to
  std::vector<std::int64_t> letters;  ///< none: all of `run`
  std::string run = "last";
  std::string stage;    ///< only letters of this stage; empty: of any
  bool remove = false;  ///< letters that were replayed go
  bool accept_dead_letters = false;
  std::string into;    ///< sinks write to new files and folders in this one; empty: as the plan and --output say
  std::string folder;  ///< profiler folder with the letters
};

/// Runs a plan from the stage on that could not process some items, with these items. Gives the exit code.
int replay_dead_letters(ReplayOptions options);

}  // namespace pystream::cli
