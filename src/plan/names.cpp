#include <algorithm>
#include <string>

#include "plan/plan.hpp"

namespace pystream::plan {
namespace {

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

}  // namespace

std::optional<std::string> stage_name_fault(std::string_view name) {
  if (name.empty()) {
    return "a stage name must not be empty";
  }
  if (name == kMainPipeline || name == kFinalStage) {
    return "a stage must not be named " + std::string(name) + ", that name is reserved";
  }
  if (name.find('-') != std::string_view::npos) {
    return "a stage name must not contain \"-\"";
  }
  if (name.find(kSeparator) != std::string_view::npos) {
    return "a stage name must not contain \"__\", which separates the levels of profile keys";
  }
  if (name.front() == '_') {
    return "a stage name must not begin with \"_\"";
  }
  if (name.back() == '_') {
    return "a stage name must not end with \"_\"";
  }
  if (!std::all_of(name.begin(), name.end(), is_name_character)) {
    return "a stage name must consist of letters, digits and single \"_\"";
  }
  return std::nullopt;
}

std::optional<std::string> short_name_fault(std::string_view name) {
  const auto is_plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const bool fits = !name.empty() && name.size() <= kMaxShortName && is_plain(name.front()) && is_plain(name.back()) &&
                    std::ranges::all_of(name, [&](char c) { return is_plain(c) || c == '-'; });
  return fits ? std::nullopt
              : std::optional("at most " + std::to_string(kMaxShortName) +
                              " lower-case letters, digits and \"-\", with a letter or digit at both ends");
}

std::string_view to_string(Mode mode) {
  switch (mode) {
    case Mode::serial:
      return "serial";
    case Mode::parallel:
      return "parallel";
    case Mode::branch:
      return "branch";
  }
  return "parallel";
}

FaultPolicy usual_source_faults() {
  return {.on_error = OnError::fail};
}

}  // namespace pystream::plan
