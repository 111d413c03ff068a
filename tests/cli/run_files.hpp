#pragma once

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "cli/coord_program.hpp"

/// For tests of what runs read and write.
namespace pystream::test {

inline std::string plan_of(const std::string& source, const std::string& sink, const std::string& time = "0s") {
  return R"({"source": )" + source + R"(, "stages": [{"name": "Pass", "type": "wait", "params": {"time": ")" + time +
         R"("}}], "sink": )" + sink + R"(, "profiler": {"enabled": false}})";
}
inline std::string lines_from(const std::string& path) {
  return R"({"type": "lines", "params": {"path": ")" + path + R"("}})";
}
inline std::string files_from(const std::string& path, const std::string& more = {}) {
  return R"({"type": "files", "params": {"path": ")" + path + "\"" + more + "}}";
}
inline std::string file_to(const std::string& path) {
  return R"({"type": "file_writer", "params": {"newline": "always", "path": ")" + path + R"("}})";
}
inline std::string folder_to(const std::string& path, const std::string& pattern = "{sequence:03}.out") {
  return R"({"type": "file_writer", "params": {"directory": ")" + path + R"(", "pattern": ")" + pattern + R"("}})";
}
inline constexpr const char* kStdout = R"({"type": "stdout"})";

class FilesOfRuns : public testing::Test {
 protected:
  FilesOfRuns() {
    folder_.write("in.txt", kContent);
    std::filesystem::create_directory(folder_ / "sub");
  }
  ProgramRun run(const std::string& plan, std::vector<std::string> options = {}, const std::string& command = "run") {
    folder_.write("plan.json", plan);
    options.insert(options.begin(), {command, "plan.json"});
    return coord(options, {.directory = folder_.path()});
  }
  /// A command line of a shell, in which "$run" runs plan.json.
  ProgramRun shell(const std::string& plan, const std::string& line) {
    folder_.write("plan.json", plan);
    return run_program({"bash", "-c", "run='" PYSTREAM_TEST_COORD " run plan.json'; " + line},
                       {.environment = {"PYSTREAM_WORKER", "PYSTREAM_PLUGIN_PATH"}, .directory = folder_.path()});
  }
  static std::vector<std::string> sorted_lines(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
      lines.push_back(line);
    }
    std::ranges::sort(lines);
    return lines;
  }

  static constexpr const char* kContent = "one\ntwo\n";
  TempFolder folder_;
};

}  // namespace pystream::test
