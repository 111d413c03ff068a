#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace pystream {

/// Profile key of the outermost pipeline, and what stands between the levels: "MainPipeline__Child__Stage".
inline constexpr std::string_view main_pipeline_name = "MainPipeline";
/// The two underscores between the levels of a profile key.
inline constexpr std::string_view separator = "__";

/// Figures by profile key, for every stage and every pipeline, the outermost included.
///
///     const pystream::Profiles profiles = pipeline.get_profiles();
///     std::cout << profiles.latency.at("MainPipeline__Detect") << " s an item\n" << pystream::to_table(profiles);
struct Profiles {
  std::map<std::string, double> latency;     ///< mean, in seconds; a pipeline's waits included
  std::map<std::string, double> throughput;  ///< items per second: (items - 1) / (last end - first end)
};

/// A table for people, one key a line.
std::string to_table(const Profiles& profiles);

/// What one stage of a running pipeline does; of replicas each has its own.
struct StageStatus {
  std::string key;             ///< profile key
  int pid = 0;                 ///< of its worker; this process's own in a serial pipeline; 0: not running now
  std::uint64_t items = 0;     ///< inputs done
  std::uint64_t errors = 0;    ///< inputs that were given up: the stage threw, or its worker died on them
  std::string last_error{};    ///< why the last of them was; empty: none was, or that is not known
  std::uint32_t restarts = 0;  ///< of its worker
  double link_fill = 0;        ///< share in use of the link in front of it, 0 to 1; 0 if there is none
};

/// What one link of a running pipeline holds.
struct LinkStatus {
  std::string name;           ///< "Producer -> Consumer"
  std::uint64_t items = 0;    ///< inside now
  std::uint64_t dropped = 0;  ///< since the start, see Overflow
  double fill = 0;            ///< 0 to 1, of the limit that would block the producer first
};

/// What became of the items of a pipeline that has ended; see Pipeline::run().
struct RunTotals {
  std::uint64_t in = 0;        ///< items that the source gave
  std::uint64_t out = 0;       ///< items that the sink took
  std::uint64_t lost = 0;      ///< records that were in a link or in work when the run was stopped
  std::uint64_t dropped = 0;   ///< by links that may drop (Overflow)
  std::uint64_t given_up = 0;  ///< items that ended in an error: dead letters and skipped ones
  std::uint64_t letters = 0;   ///< of these: dead letters, see Pipeline::dead_letters()
  std::uint64_t losses = 0;    ///< losses that the source or the sink reported, see report_loss()

  /// Everything that the source gave was processed. (`in` and `out` need not be equal: a stage may filter items out or
  /// give several for one.)
  bool complete() const { return lost == 0 && dropped == 0 && given_up == 0 && losses == 0; }
};

/// What a running pipeline does now; see Pipeline::status().
///
///     for (const pystream::StageStatus& stage : pipeline.status().stages) {
///       std::cout << stage.key << ": " << stage.items << " items, " << stage.restarts << " restarts\n";
///     }
struct PipelineStatus {
  int coordinator = 0;              ///< 0: a serial pipeline without workers
  std::uint64_t given_up = 0;       ///< errors of all stages; see Pipeline::dead_letters()
  std::vector<StageStatus> stages;  ///< in the order of the pipeline
  std::vector<LinkStatus> links;    ///< in the order of the pipeline
};

}  // namespace pystream
