#include "profile/summary.hpp"

#include <algorithm>

namespace pystream::profile {

const KeySummary* RunSummary::find(const std::string& key) const {
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const KeySummary& k) { return k.key == key; });
  return found != keys.end() ? &*found : nullptr;
}

std::map<std::string, double> RunSummary::latency() const {
  std::map<std::string, double> result;
  for (const KeySummary& key : keys) {
    result[key.key] = key.mean_s;
  }
  return result;
}

std::map<std::string, double> RunSummary::throughput() const {
  std::map<std::string, double> result;
  for (const KeySummary& key : keys) {
    result[key.key] = key.items_per_s;
  }
  return result;
}

}  // namespace pystream::profile
