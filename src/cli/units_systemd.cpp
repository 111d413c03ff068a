#include <algorithm>
#include <pystream/error.hpp>
#include <string>
#include <string_view>

#include "cli/frame.hpp"
#include "cli/units.hpp"
#include "plan/json.hpp"

namespace pystream::cli {
namespace {

bool is_control(char c) {
  return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
}

/// A word of ExecStart=. The program itself is no place for variables, so that "$" is itself there.
std::string exec_word(std::string_view word, bool program = false) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : word) {
    if (is_control(c)) {
      const auto byte = static_cast<unsigned char>(c);
      out += {'\\', 'x', kDigits[byte >> 4U], kDigits[byte & 0xfU]};
      continue;
    }
    const bool doubled = c == '%' || (c == '$' && !program);
    out += doubled ? std::string(2, c) : c == '"' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
  }
  return out + '"';
}

/// A path that stands for itself, without quotes: what follows "=".
std::string bare(const std::string& path) {
  if (std::ranges::any_of(path, is_control) || path.ends_with(' ') || path.ends_with('\\')) {
    throw Error(
        "found the folder " + plan::in_quotes(path) +
        ", expected one whose name a unit of systemd can hold: without control characters, and not with a blank "
        "or \"\\\" at its end");
  }
  std::string out;
  for (const char c : path) {
    out += c == '%' ? "%%" : std::string(1, c);
  }
  return out;
}

std::string unit_of(const UnitSet& units, const PartUnit& part) {
  std::string command = exec_word(units.program.string(), true) + " run " + exec_word(units.file.string());
  for (const std::string& argument : part.arguments) {
    command += " " + exec_word(argument);
  }
  return "# pystream-" + units.plan + "-" + part.host +
         ".service\n"
         "[Unit]\n"
         "Description=Part " +
         part.host + " of the pystream pipeline " + units.plan +
         "\n"
         "Wants=network-online.target\n"
         "After=network-online.target\n"
         "StartLimitIntervalSec=0\n"
         "\n"
         "[Service]\n"
         "Type=exec\n"
         "WorkingDirectory=" +
         bare(units.folder.string()) +
         "\n"
         "ExecStart=" +
         command +
         "\n"
         "Restart=on-failure\n"
         "RestartSec=1s\n"
         "SuccessExitStatus=" +
         std::to_string(kPaused) +
         "\n"
         "RestartPreventExitStatus=" +
         std::to_string(kBadUsage) + " " + std::to_string(kIncomplete) +
         "\n"
         "KillMode=mixed\n"
         "TimeoutStopSec=" +
         std::to_string(kStopSeconds) +
         "s\n"
         "\n"
         "[Install]\n"
         "WantedBy=multi-user.target\n";
}

}  // namespace

std::string systemd_units(const UnitSet& units) {
  std::string out;
  for (const PartUnit& part : units.parts) {
    out += (out.empty() ? "" : "\n") + unit_of(units, part);
  }
  return out;
}

}  // namespace pystream::cli
