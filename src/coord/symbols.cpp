#include "coord/symbols.hpp"

#include <spdlog/fmt/fmt.h>

#include <filesystem>
#include <sstream>
#include <system_error>

#include "base/child_process.hpp"

namespace pystream::coord {
namespace {

/// Return addresses point behind the call, maybe into the next line.
std::uint64_t lookup_offset(std::uint64_t offset, bool innermost) {
  return innermost || offset == 0 ? offset : offset - 1;
}

/// Two lines of answer for each address: function, then file:line.
std::vector<std::string> ask(const std::string& module, const std::vector<std::uint64_t>& offsets) {
  std::vector<std::string> arguments{"addr2line", "--exe", module, "--functions", "--demangle", "--basenames"};
  for (const std::uint64_t offset : offsets) {
    arguments.push_back(fmt::format("{:#x}", offset));
  }
  std::string output;
  try {
    output = base::run_child({.arguments = arguments, .deadline = std::chrono::seconds(20)}).output;
  } catch (const std::exception&) {
    return {};  // not installed
  }
  std::istringstream lines(output);
  std::vector<std::string> names;
  for (std::string function, place; std::getline(lines, function) && std::getline(lines, place);) {
    const bool known_function = !function.empty() && function != "??";
    const bool known_place = !place.starts_with("??") && !place.ends_with("?");
    names.push_back(known_function ? function + (known_place ? " at " + place : "") : "");
  }
  return names;
}

}  // namespace

std::vector<std::string> Symbols::names_of(const std::vector<CrashFrame>& frames) {
  std::map<std::string, std::vector<std::uint64_t>> unknown;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const std::uint64_t offset = lookup_offset(frames[i].offset, i == 0);
    if (!frames[i].module.empty() && known_.emplace(std::pair(frames[i].module, offset), "").second) {
      unknown[frames[i].module].push_back(offset);
    }
  }
  for (const auto& [module, offsets] : unknown) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(module, error)) {
      continue;  // the path comes from a worker gone wrong
    }
    const std::vector<std::string> names = ask(module, offsets);
    for (std::size_t i = 0; i < std::min(names.size(), offsets.size()); ++i) {
      known_[{module, offsets[i]}] = names[i];
    }
  }
  std::vector<std::string> names;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const auto found = known_.find({frames[i].module, lookup_offset(frames[i].offset, i == 0)});
    names.push_back(found != known_.end() ? found->second : "");
  }
  return names;
}

}  // namespace pystream::coord
