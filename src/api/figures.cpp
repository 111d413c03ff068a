#include "api/figures.hpp"

#include <algorithm>

#include "base/number_text.hpp"
#include "base/text_table.hpp"

namespace pystream::api {
namespace {

double mean_s(std::uint64_t sum_ns, std::uint64_t count) {
  return count > 0 ? static_cast<double>(sum_ns) * 1e-9 / static_cast<double>(count) : 0;
}

double per_second(const StageCounts& stage) {
  const std::int64_t span = stage.last_end_ns - stage.first_end_ns;
  return stage.items > 1 && span > 0 ? static_cast<double>(stage.items - 1) / (static_cast<double>(span) * 1e-9) : 0;
}

bool is_inside(const std::string& stage, const std::string& pipeline) {
  return stage.size() > pipeline.size() && stage.starts_with(pipeline) &&
         stage.compare(pipeline.size(), separator.size(), separator) == 0;
}

}  // namespace

void add_profiles(const std::vector<StageFigures>& stages, const std::vector<std::string>& pipeline_keys,
                  Profiles& profiles) {
  for (const auto& [key, counts] : stages) {
    if (counts.timed > 0) {
      profiles.latency[key] = mean_s(counts.timed_ns, counts.timed);
      profiles.throughput[key] = per_second(counts);
    }
  }
  for (const std::string& key : pipeline_keys) {
    const auto inside = [&](const StageFigures& stage) { return is_inside(stage.key, key); };
    const auto first = std::find_if(stages.begin(), stages.end(), inside);
    const auto end = std::find_if_not(first, stages.end(), inside);
    if (first == end || std::prev(end)->counts.timed == 0) {
      continue;
    }
    const StageCounts& last = std::prev(end)->counts;
    const double entered =
        first == stages.begin() ? 0 : mean_s(std::prev(first)->counts.age_ns, std::prev(first)->counts.timed);
    profiles.latency[key] = std::max(mean_s(last.age_ns, last.timed) - entered, 0.0);
    profiles.throughput[key] = per_second(last);
  }
}

}  // namespace pystream::api

namespace pystream {

std::string to_table(const Profiles& profiles) {
  base::TextTable table({{.title = "Stage", .least = 12},
                         {.title = "Latency (s)", .right = true, .least = 14},
                         {.title = "Throughput (items/s)", .right = true}});
  for (const auto& [key, latency] : profiles.latency) {
    const auto found = profiles.throughput.find(key);
    table.add({key, base::fixed_text(latency, 6),
               base::fixed_text(found != profiles.throughput.end() ? found->second : 0, 2)});
  }
  return table.text({});
}

}  // namespace pystream
