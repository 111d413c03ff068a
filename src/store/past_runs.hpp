#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/database.hpp"

/// What the database knows of all its runs: `pystream-coord runs`.
namespace pystream::store {

struct PastRun {
  std::int64_t run = 0;
  std::string name;
  std::string outcome;  ///< as RunSummary::outcome
  std::string reason;
  double started = 0;                    ///< Unix time
  std::optional<double> duration_s{};    ///< none: it runs still, or has no profile
  std::optional<std::uint64_t> items{};  ///< that came out; these four: none without a profile
  std::optional<std::uint64_t> errors{};
  std::optional<std::uint64_t> restarts{};
  std::optional<std::uint64_t> dropped{};
  std::uint64_t dead_letters = 0;
};

/// The oldest first.
std::vector<PastRun> list_runs(Database& database);
std::string to_json(const std::vector<PastRun>& runs);

/// The plan's text as the run was started with it; empty: none is there. Throws ProfilingError if there is no such run.
std::string read_plan(Database& database, std::int64_t run);

/// Keys of all stages and pipelines of a run, or of all runs; and those of stages that have dead letters.
std::vector<std::string> stage_keys(Database& database, std::optional<std::int64_t> run);

}  // namespace pystream::store
