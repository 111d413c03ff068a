#pragma once

#include <string>

#include "cli/coord_program.hpp"

/// Small plans whose workers die.
namespace pystream::test {

/// "line 0" and so on, one of them left out.
inline std::string numbered_lines(int from, int to, int without = -1) {
  std::string lines;
  for (int i = from; i < to; ++i) {
    if (i != without) {
      lines += "line " + std::to_string(i) + "\n";
    }
  }
  return lines;
}

struct FaultRun {
  ProgramRun run;
  std::string out;  ///< what the sink wrote
};

inline std::string plan_of(const std::string& stages, const std::string& more) {
  return R"({"plugins": ["libpystream_testing.so"],
             "source": {"type": "lines", "params": {"path": "in.txt"}},
             "stages": [)" +
         stages + R"(],
             "sink": {"type": "file_writer", "params": {"path": "out.txt"}})" +
         more + "}";
}

inline const std::string kNoProfile = R"(, "profiler": {"enabled": false})";

/// Runs `stages` from 100 numbered lines to a file of lines.
inline FaultRun run_stages(const std::string& stages, const std::string& more = kNoProfile) {
  const TempFolder folder;
  folder.write("in.txt", numbered_lines(0, 100));
  folder.write("plan.json", plan_of(stages, more));
  ProgramRun run = coord({"run", "plan.json"},
                         {.environment = {"PYSTREAM_PROFILES=" + folder / "profiles"}, .directory = folder.path()});
  return {std::move(run), folder.read("out.txt")};
}

inline std::string crash_stage(const std::string& name, const std::string& how, int sequence,
                               const std::string& policy = {}, int attempts = 1000) {
  return R"({"name": ")" + name + R"(", "type": "test.crash", "params": {"how": ")" + how + R"(", "sequence": )" +
         std::to_string(sequence) + R"(, "attempts": )" + std::to_string(attempts) + "}" + policy + "}";
}

inline const std::string kSkip = R"(, "on_crash": "skip")";

}  // namespace pystream::test
