#include "worker/process_name.hpp"

#include <sys/prctl.h>

#include "plan/plan.hpp"

namespace pystream::worker {
namespace {

constexpr std::size_t kLongestName = 15;

}  // namespace

std::string process_name(std::string_view key) {
  const std::string prefix = std::string(plan::kMainPipeline).append(plan::kSeparator);
  std::string_view name = key.starts_with(prefix) ? key.substr(prefix.size()) : key;
  if (const std::size_t at = name.rfind(plan::kSeparator); name.size() > kLongestName && at != std::string_view::npos) {
    name.remove_prefix(at + plan::kSeparator.size());
  }
  return std::string(name.substr(0, kLongestName));
}

void take_process_name(std::string_view key) {
  ::prctl(PR_SET_NAME, process_name(key).c_str());
}

}  // namespace pystream::worker
