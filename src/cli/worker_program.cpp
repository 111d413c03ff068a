#include "cli/worker_program.hpp"

#include "cli/frame.hpp"
#include "coord/inspect.hpp"

namespace pystream::cli {

void add_worker_program_option(CLI::App& command, std::string& worker_program) {
  command
      .add_option("--worker-program", worker_program,
                  "Worker program to use instead of pystream-worker (also: PYSTREAM_WORKER)")
      ->type_name("FILE");
}

std::filesystem::path worker_program_of(const std::string& wanted) {
  try {
    return coord::find_worker_program(wanted);
  } catch (const Error& error) {
    if (!wanted.empty()) {
      throw BadUsage(error.what());
    }
    throw;
  }
}

}  // namespace pystream::cli
