#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// What can stand at the end of a command line that is being typed: told by the options that the commands declare.
namespace pystream::cli {

struct Candidate {
  std::string word;
  std::string text;  ///< what it is, on one line; may be empty
};

/// The names of files that fit too; the shell knows best how to list and quote them.
enum class PathKind : std::uint8_t { none, files, folders, plans };

std::string_view to_string(PathKind kind);

struct Candidates {
  PathKind paths = PathKind::none;
  std::vector<Candidate> words{};
};

/// What the last of `words` (what follows the program's name; the last may be empty) can become. `--name=value` becomes
/// such a word as a whole.
/// Example: the words {"run", "--log-level", "w"} give {{"warning", ""}}.
Candidates candidates(const CLI::App& app, std::span<const std::string> words);

/// The words that `option` accepts; empty if it takes others.
std::vector<std::string> choices_of(const CLI::Option& option);
/// What help calls the value of `option`: "FILE"; empty if it takes none.
std::string value_name(const CLI::Option& option);
/// Neither help nor manual nor completion tells of it: programs use it.
bool is_hidden(const CLI::App& command);

}  // namespace pystream::cli
