#include "profile/summary.hpp"

#include <algorithm>

#include "base/codec.hpp"

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

auto fields(base::MaybeConst<KeySummary> auto& k) {
  return std::tie(k.key, k.role, k.worker, k.items, k.errors, k.samples, k.mean_s, k.min_s, k.p50_s, k.p90_s, k.p99_s,
                  k.p999_s, k.max_s, k.rank_error, k.items_per_s, k.waiting, k.working, k.blocked, k.busy_s, k.active_s,
                  k.restarts, k.dropped, k.rows, k.one_row_in, k.rows_lost, k.bottleneck);
}

auto fields(base::MaybeConst<RunSummary> auto& s) {
  return std::tie(s.run, s.name, s.host, s.outcome, s.reason, s.started, s.duration_s, s.dead_letters, s.bottleneck,
                  s.keys);
}

std::string encode(const RunSummary& summary) {
  return base::Encoder().put(summary).bytes();
}

RunSummary decode_run_summary(std::string_view bytes) {
  return base::Decoder(bytes).get<RunSummary>();
}

}  // namespace pystream::profile
