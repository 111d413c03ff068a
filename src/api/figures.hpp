#pragma once

#include <cstdint>
#include <pystream/status.hpp>
#include <string>
#include <vector>

namespace pystream::api {

/// What this process counts of a stage that it calls itself. (Small: it stands among what every call touches.)
struct StageCounts {
  std::uint64_t items = 0;
  std::uint64_t timed = 0;     ///< items in the next two sums
  std::uint64_t timed_ns = 0;  ///< inside the stage
  std::uint64_t age_ns = 0;    ///< from the pipeline's entrance to the end of the stage
  std::int64_t first_end_ns = 0;
  std::int64_t last_end_ns = 0;
};

struct StageFigures {
  std::string key;
  StageCounts counts;
};

/// Adds to `profiles`. Stages as measured; a pipeline's latency is what lies between the end of the stage in front of
/// it (or the entrance) and the end of its last stage, its throughput that of its last stage. Keys without items are
/// left out.
void add_profiles(const std::vector<StageFigures>& stages, const std::vector<std::string>& pipeline_keys,
                  Profiles& profiles);

}  // namespace pystream::api
