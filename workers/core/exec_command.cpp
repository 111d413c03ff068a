#include "core/exec_command.hpp"

#include <algorithm>
#include <pystream/error.hpp>
#include <variant>

namespace pystream::core {
namespace {

std::vector<std::string> environment_of(const ParamValue* value) {
  std::vector<std::string> entries;
  const auto* object = value == nullptr ? nullptr : std::get_if<ParamMap>(value);
  const auto refuse = [] {
    throw InvalidParam("exec: parameter \"env\" must be an object of strings, such as {\"LANG\": \"C\"}");
  };
  if (object == nullptr) {
    refuse();
  }
  for (const auto& [name, text] : *object) {
    if (name.empty() || name.find('=') != name.npos || !std::holds_alternative<std::string>(text)) {
      refuse();
    }
    entries.push_back(name + "=" + std::get<std::string>(text));
  }
  return entries;
}

}  // namespace

ChildProgram::Command exec_command(const Params& params) {
  ChildProgram::Command command{.arguments = params.strings("command"),
                                .environment = environment_of(params.find("env")),
                                .directory = params.string("cwd")};
  if (command.arguments.empty() || command.arguments.front().empty()) {
    throw InvalidParam(
        "exec: parameter \"command\" is empty; expected a program and its arguments, such as "
        "[\"sed\", \"-u\", \"s/a/b/\"]");
  }
  // The kernel would take them for the end of the text.
  const auto has_zero = [](const std::string& text) { return text.find('\0') != text.npos; };
  if (std::ranges::any_of(command.arguments, has_zero) || std::ranges::any_of(command.environment, has_zero) ||
      has_zero(command.directory)) {
    throw InvalidParam("exec: \"command\", \"env\" or \"cwd\" holds a zero byte (\\u0000); no program can get one");
  }
  return command;
}

}  // namespace pystream::core
