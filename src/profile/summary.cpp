#include "profile/summary.hpp"

#include <algorithm>

#include "profile/wire.hpp"

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

std::string encode(const RunSummary& s) {
  Encoder out;
  out.put(s.run).put(s.name).put(s.host).put(s.outcome).put(s.reason).put(s.started).put(s.duration_s);
  out.put(s.dead_letters).put(s.bottleneck).put(s.keys.size());
  for (const KeySummary& k : s.keys) {
    out.put(k.key).put(k.role).put(k.worker).put(k.items).put(k.errors).put(k.samples);
    out.put(k.mean_s).put(k.min_s).put(k.p50_s).put(k.p90_s).put(k.p99_s).put(k.p999_s).put(k.max_s).put(k.rank_error);
    out.put(k.items_per_s).put(k.waiting).put(k.working).put(k.blocked).put(k.busy_s).put(k.active_s);
    out.put(k.restarts).put(k.dropped).put(k.rows).put(k.one_row_in).put(k.rows_lost).put(k.bottleneck);
  }
  return out.bytes();
}

RunSummary decode_run_summary(std::string_view bytes) {
  Decoder in(bytes);
  const auto get = [&](auto&... values) { ((values = in.get<std::remove_reference_t<decltype(values)>>()), ...); };
  RunSummary s;
  get(s.run, s.name, s.host, s.outcome, s.reason, s.started, s.duration_s, s.dead_letters, s.bottleneck);
  for (auto left = in.get<std::size_t>(); left > 0; --left) {
    KeySummary& k = s.keys.emplace_back();
    get(k.key, k.role, k.worker, k.items, k.errors, k.samples);
    get(k.mean_s, k.min_s, k.p50_s, k.p90_s, k.p99_s, k.p999_s, k.max_s, k.rank_error);
    get(k.items_per_s, k.waiting, k.working, k.blocked, k.busy_s, k.active_s);
    get(k.restarts, k.dropped, k.rows, k.one_row_in, k.rows_lost, k.bottleneck);
  }
  return s;
}

}  // namespace pystream::profile
