#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/run_program.hpp"
#include "support/temp_folder.hpp"

namespace pystream::test {

/// Runs the pystream-coord of this build.
inline ProgramRun coord(std::vector<std::string> arguments, RunOptions options = {}) {
  arguments.insert(arguments.begin(), PYSTREAM_TEST_COORD);
  options.environment.insert(options.environment.end(), {"PYSTREAM_WORKER", "PYSTREAM_PLUGIN_PATH"});
  return run_program(arguments, options);
}

inline std::string odd_plugin(const std::string& name) {
  return std::string(PYSTREAM_TEST_PLUGINS) + "/libpystream_" + name + ".so";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

#define EXPECT_CONTAINS(text, part) EXPECT_TRUE(contains(text, part)) << "looked for: " << (part) << "\nin:\n" << (text)

inline constexpr const char* kSmallPlan = R"({
  "plugins": ["libpystream_testing.so"],
  "source": {"type": "lines", "params": {"path": "in.txt"}},
  "stages": [
    {"name": "Add", "type": "test.add", "params": {"n": 3}},
    {"name": "Row", "mode": "serial", "stages": [
      {"name": "First", "type": "test.mix"},
      {"name": "Second", "type": "test.count"}
    ]}
  ],
  "sink": {"type": "file_writer", "params": {"path": "out.txt"}}
}
)";

}  // namespace pystream::test
