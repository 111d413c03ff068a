#include "cli/help_format.hpp"

#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "base/display_text.hpp"
#include "cli/terminal.hpp"

namespace pystream::cli {
namespace {

constexpr std::size_t kUsual = 80;
constexpr std::size_t kNarrowest = 60;
constexpr std::size_t kWidest = 100;
constexpr std::size_t kNames = 30;  ///< columns of the names of options and commands

}  // namespace

HelpFormat::HelpFormat() : width_(std::clamp(terminal_width(STDOUT_FILENO).value_or(kUsual), kNarrowest, kWidest)) {
  column_width(kNames);
}

/// CLI11 itself indents what follows a line's end.
std::string HelpFormat::beside_names(const std::string& text) const {
  return base::wrapped(text, width_ - kNames, 0);
}

std::string HelpFormat::make_option_desc(const CLI::Option* option) const {
  return beside_names(option->get_description());
}

std::string HelpFormat::make_subcommand(const CLI::App* command) const {
  std::ostringstream out;
  CLI::detail::format_help(out, command->get_name(), beside_names(command->get_description()), kNames);
  return out.str();
}

std::string HelpFormat::make_description(const CLI::App* app) const {
  return in_lines(CLI::Formatter::make_description(app));
}

std::string HelpFormat::make_footer(const CLI::App* app) const {
  return in_lines(CLI::Formatter::make_footer(app));
}

std::string HelpFormat::in_lines(const std::string& text) const {
  std::istringstream lines(text);
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    out += (line.starts_with(' ') ? line : base::wrapped(line, width_, 0)) + "\n";
  }
  return out;
}

}  // namespace pystream::cli
