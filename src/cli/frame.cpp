#include "cli/frame.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <sstream>
#include <utility>
#include <vector>

#include "base/open_fds.hpp"
#include "base/process_start.hpp"
#include "cli/completion.hpp"
#include "cli/first_process.hpp"
#include "cli/help_format.hpp"
#include "cli/standard_error.hpp"
#include "cli/terminal.hpp"
#include "plan/json.hpp"
#include "plan/suggest.hpp"

namespace pystream::cli {
namespace {

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd, text.data(), text.size());
    if (put < 0 && errno != EINTR) {
      return false;
    }
    text.remove_prefix(put > 0 ? static_cast<std::size_t>(put) : 0);
  }
  return true;
}

void complain(std::string_view text) {
  say({.message = text, .level = LogLevel::error});
}

/// A line for each fault, which says its file itself.
void show_faults(const BadPlan& faults) {
  const std::string text = shown_on(STDERR_FILENO, faults.what());
  if (log_format() == LogFormat::text) {
    show(text + "\n");
    return;
  }
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    complain(line);
  }
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) {
    if (!is_hidden(*command)) {
      names.push_back(command->get_name());
    }
  }
  return names;
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      names.push_back("--" + name);
    }
  }
  return names;
}

std::string with_hint(const std::string& hint) {
  return hint.empty() ? std::string() : " (" + hint + ")";
}

/// The command that was being parsed; the program itself if there was none.
const CLI::App& chosen_app(const CLI::App& app) {
  const std::vector<CLI::App*> commands = app.get_subcommands();
  return commands.empty() ? app : *commands.front();
}

std::string usage_message(const CLI::App& app, const CLI::ParseError& error,
                          const std::vector<std::string>& arguments) {
  const CLI::App& command = chosen_app(app);
  if (&command == &app) {
    if (arguments.empty()) {
      return "a command is missing";
    }
    const std::string& word = arguments.front();
    return word.starts_with("-")
               ? "unknown option " + word + with_hint(plan::did_you_mean(word, option_names(app)))
               : "there is no command \"" + word + "\"" + with_hint(plan::did_you_mean(word, command_names(app)));
  }
  const std::vector<std::string> extras = app.remaining(true);
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !extras.empty()) {
    const std::string& extra = extras.front();
    const bool option = extra.starts_with("-") && extra != "-";
    return std::string(option ? "unknown option " : "unexpected argument ") + extra +
           (option ? with_hint(plan::did_you_mean(extra.substr(0, extra.find('=')), option_names(command))) : "");
  }
  return error.what();
}

int refuse(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& arguments) {
  const CLI::App& command = chosen_app(app);
  const std::string help = &command == &app ? "pystream-coord" : "pystream-coord " + command.get_name();
  complain(usage_message(app, error, arguments) + "\nSee " + help + " --help");
  return kBadUsage;
}

/// Commands took over the format of the program when they were added to it.
void set_help_format(CLI::App& app, const std::shared_ptr<HelpFormat>& format) {
  app.formatter(format);
  for (CLI::App* command : app.get_subcommands({})) {
    set_help_format(*command, format);
  }
}

/// An empty value, as a script gives it with a variable that is not set, must not mean the default: the plan's own file
/// would be overwritten.
void refuse_empty_values(CLI::App& app) {
  const CLI::Validator check(
      [](const std::string& text) { return text.empty() ? R"(found "", expected a value)" : std::string(); }, "");
  for (CLI::Option* option : app.get_options()) {
    if (option->get_items_expected_max() > 0) {
      option->check(check);
    }
  }
  for (CLI::App* command : app.get_subcommands({})) {
    if (!is_hidden(*command)) {
      refuse_empty_values(*command);
    }
  }
}

int parse_and_run(CLI::App& app, const Command& chosen, int argc, char** argv) {
  const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForVersion& version) {
    print(std::string(version.what()) + "\n");
    return kDone;
  } catch (const CLI::Success&) {
    print(app.help());
    return kDone;
  } catch (const CLI::ParseError& error) {
    return refuse(app, error, arguments);
  }
  return chosen();
}

}  // namespace

int run_app(CLI::App& app, const Command& chosen, int argc, char** argv) {
  if (!base::fill_standard_descriptors()) {
    return kFailed;  // nowhere to say so
  }
  base::reset_ignored_signals();
  base::unblock_all_signals();
  base::raise_fd_limit();
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file beyond the limit is an error like a full disk
  app.name("pystream-coord");
  app.require_subcommand(1);
  app.set_version_flag("--version", "pystream-coord " PYSTREAM_VERSION, "Print the version");
  set_help_format(app, std::make_shared<HelpFormat>());
  refuse_empty_values(app);
  try {
    leave_first_process();
    return parse_and_run(app, chosen, argc, argv);
  } catch (const BadPlan& error) {
    show_faults(error);
    return kBadUsage;
  } catch (const BadUsage& error) {
    complain(error.what());
    return kBadUsage;
  } catch (const std::exception& error) {
    complain(error.what());
    return kFailed;
  }
}

CLI::App& add_command(CLI::App& app, const std::string& name, const std::string& summary, const std::string& examples) {
  CLI::App* command = app.add_subcommand(name, summary);
  command->footer("\nExamples:\n" + examples);
  return *command;
}

CLI::Validator whole_number(std::uint64_t least) {
  const auto check = [least](const std::string& text) -> std::string {
    std::uint64_t number = 0;
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, number);
    if (error == std::errc() && at == end && number >= least) {
      return {};
    }
    return "found " + plan::in_quotes(text) + ", expected a whole number" +
           (least > 0 ? " of at least " + std::to_string(least) : "");
  };
  return CLI::Validator(check, "");
}

void print(std::string_view text) {
  if (!write_all(STDOUT_FILENO, text)) {
    throw Error(std::string("cannot write standard output: ") + std::strerror(errno));
  }
}

void warn(std::string_view text) {
  say({.message = text});
}

}  // namespace pystream::cli
