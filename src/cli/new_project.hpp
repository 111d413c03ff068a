#pragma once

#include <filesystem>
#include <string>

namespace pystream::cli {

/// Writes a project that builds, tests and runs into `folder`, which is made if it is not there: a stage in this
/// language (cpp, python or shell), its test, a plan, a page with the commands. Throws BadUsage, and writes nothing, if
/// one of the files exists already; Error if it cannot write, and then removes what it wrote.
void write_project(const std::filesystem::path& folder, const std::string& language);

/// The commands that the project's page shows, a line each.
std::string project_commands(const std::string& language);

}  // namespace pystream::cli
