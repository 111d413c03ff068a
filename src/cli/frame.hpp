#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <pystream/error.hpp>
#include <string>
#include <string_view>

/// What the commands of pystream-coord share. A command is a file with `void add_<command>(CLI::App&, Command&)`,
/// which declares its options and, when it is chosen, sets the function that does it.
namespace pystream::cli {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kBadUsage = 2;
inline constexpr int kIncomplete = 3;  ///< it went well, but some items were given up
inline constexpr int kPaused = 75;     ///< a part of a run over several hosts, which is to go on later
inline constexpr int kInterrupted = 130;

/// The chosen command; gives the exit code.
using Command = std::function<int()>;

/// Wrong use of the command line: exit code 2.
class BadUsage : public Error {
 public:
  using Error::Error;
};

/// A plan that cannot be used: exit code 2. The message is complete, a line for each fault.
class BadPlan : public Error {
 public:
  using Error::Error;
};

/// The whole of main() once the commands are added: parses, runs the chosen command, turns whatever goes wrong into
/// a message on standard error and an exit code.
int run_app(CLI::App& app, const Command& chosen, int argc, char** argv);

/// A command of `app` with examples at the end of its help.
CLI::App& add_command(CLI::App& app, const std::string& name, const std::string& summary, const std::string& examples);

/// Check of an option that counts, from `least` on. (CLI11 by itself takes -3 for a very large number.)
CLI::Validator whole_number(std::uint64_t least = 0);

/// Writes all of `text` to standard output; throws Error if it cannot.
void print(std::string_view text);
/// A line on standard error, "pystream-coord: …", as shown_on() makes it.
void warn(std::string_view text);

}  // namespace pystream::cli
