#include <algorithm>

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
