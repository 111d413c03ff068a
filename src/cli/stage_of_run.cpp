#include "cli/stage_of_run.hpp"

#include "cli/frame.hpp"
#include "plan/stage_names.hpp"
#include "profile/past_runs.hpp"

namespace pystream::cli {

std::string stage_of_run(profile::Database& database, std::optional<std::int64_t> run, const std::string& name) {
  try {
    return plan::key_named(name, profile::stage_keys(database, run), run ? "run " + std::to_string(*run) : "any run");
  } catch (const Error& error) {
    throw BadUsage(error.what());
  }
}

}  // namespace pystream::cli
