#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace pystream::test {

struct RunOptions {
  std::string input{};                     ///< on standard input
  std::vector<std::string> environment{};  ///< "NAME=value"; "NAME" alone removes it
  std::string directory{};
  std::chrono::milliseconds deadline = std::chrono::minutes(2);
};

struct ProgramRun {
  int exit_code = 0;  ///< 128 + signal if it was killed; -1 if it ran beyond the deadline
  std::string out{};
  std::string err{};
};

/// Runs a program to its end and collects what it writes.
ProgramRun run_program(const std::vector<std::string>& arguments, const RunOptions& options = {});

}  // namespace pystream::test
