#include "support/run_program.hpp"

#include "base/child_process.hpp"

namespace pystream::test {

ProgramRun run_program(const std::vector<std::string>& arguments, const RunOptions& options) {
  base::ChildResult result = base::run_child({.arguments = arguments,
                                              .input = options.input,
                                              .environment = options.environment,
                                              .directory = options.directory,
                                              .deadline = options.deadline,
                                              .errors_limit = 16 << 20});
  int code = result.code;
  if (result.end == base::ChildResult::End::killed) {
    code += 128;
  } else if (result.end != base::ChildResult::End::exited) {
    code = -1;
  }
  return {.exit_code = code, .out = std::move(result.output), .err = std::move(result.errors)};
}

}  // namespace pystream::test
