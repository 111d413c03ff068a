#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "plan/topology.hpp"

/// What the profiler process is told of a run.
namespace pystream::profile {

/// How much is recorded and kept.
struct Retention {
  std::uint64_t max_history = 100'000;    ///< rows of one stage in one run
  std::uint64_t rows_per_second = 5'000;  ///< of a worker; beyond it single items are sampled
  std::uint64_t runs = 20;
  std::uint64_t bytes = 512 << 20;  ///< of the database; older runs go first, the last one stays

  static void fields(auto& self, auto& code) { code(self.max_history, self.rows_per_second, self.runs, self.bytes); }
};

struct RunInfo {
  std::filesystem::path database;
  std::string name;
  std::string plan;  ///< its text
  std::string version;
  std::uint64_t coordinator_pid = 0;
  double started = 0;         ///< Unix time; with coordinator_pid it tells runs apart
  std::int64_t start_ns = 0;  ///< CLOCK_MONOTONIC, a multiple of the window: times in the database count from here
  Retention retention;
  bool workers_write_rows =
      true;                 ///< false: they must not open the database, and the profiler process writes their rows
  plan::Topology topology;  ///< without its nodes once it was decoded

  static void fields(auto& self, auto& code) {
    code(self.database, self.name, self.plan, self.version, self.coordinator_pid, self.started, self.start_ns);
    code(self.retention, self.workers_write_rows, self.topology);
  }
};

/// Something that happened in a run.
struct Event {
  std::int64_t time_ns = 0;  ///< CLOCK_MONOTONIC
  std::string kind;          ///< start, ready, crash, restart, dead_letter, drop, end, …
  std::string worker;        ///< its name; empty: the coordinator
  int signal = 0;
  int code = 0;
  std::optional<std::uint64_t> sequence{};
  std::string text{};

  static void fields(auto& self, auto& code) {
    code(self.time_ns, self.kind, self.worker, self.signal, self.code, self.sequence, self.text);
  }
};

}  // namespace pystream::profile
