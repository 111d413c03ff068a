#pragma once

#include <string_view>
#include <vector>

namespace pystream::cli {

/// A file of a new project, as tests/examples/project has it. "@project@" in `text` stands for the project's name.
struct ProjectFile {
  std::string_view language;  ///< cpp, python or shell
  std::string_view name;
  std::string_view text;
};

/// Of every language; made by src/cli/embed_project.py.
const std::vector<ProjectFile>& project_files();

}  // namespace pystream::cli
