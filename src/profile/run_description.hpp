#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

/// What the bookkeeper has to know of a run, in words that need no plan.
namespace pystream::profile {

enum class KeyRole : std::uint8_t { source = 0, stage = 1, sink = 2, pipeline = 3 };
std::string_view to_string(KeyRole role);

/// Everything that has a profile key.
struct KeyDescription {
  std::string key;
  KeyRole role = KeyRole::stage;
  std::uint32_t worker = 0;
  std::uint32_t index = 0;  ///< among the worker's HostedStats; kDerived: a pipeline inside the main pipeline
  /// Of a derived key, positions in RunDescription::keys: its first and last stage, and the stage whose output it
  /// takes (none at the entrance of the main pipeline).
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  std::optional<std::uint32_t> before{};

  static constexpr std::uint32_t kDerived = 0xffffffff;
  bool derived() const { return index == kDerived; }
};

struct WorkerDescription {
  std::string name;
  bool external = false;                    ///< the user's process
  bool opens_database = true;               ///< writes its rows itself; false: the bookkeeper writes them
  std::vector<std::uint32_t> output_links;  ///< of each of its segments; their journals say what is committed
};

struct LinkDescription {
  std::string name;
  std::uint32_t producer = 0;
  std::uint32_t consumer = 0;
  std::string overflow;
  std::uint64_t capacity_bytes = 0;
};

/// How much is recorded and kept.
struct Retention {
  std::uint64_t max_history = 100'000;    ///< rows of one stage in one run
  std::uint64_t rows_per_second = 5'000;  ///< of a worker; beyond it single items are sampled
  std::uint64_t runs = 20;
  std::uint64_t bytes = 512 << 20;  ///< of the database; older runs go first, the last one stays
};

struct RunDescription {
  std::filesystem::path database;
  std::string name;
  std::string plan;  ///< its text
  std::string version;
  std::uint64_t coordinator_pid = 0;
  double started = 0;         ///< Unix time; with coordinator_pid it tells runs apart
  std::int64_t start_ns = 0;  ///< CLOCK_MONOTONIC, a multiple of the window: times in the database count from here
  Retention retention;
  std::vector<KeyDescription> keys;  ///< in the order that people see: outer pipelines before what is in them
  std::vector<WorkerDescription> workers;
  std::vector<LinkDescription> links;
};

std::string encode(const RunDescription& description);
RunDescription decode_run_description(std::string_view bytes);

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

/// `folder` or, if it is empty, PYSTREAM_PROFILES, $XDG_STATE_HOME/pystream, ~/.local/state/pystream.
std::filesystem::path profiler_folder(const std::filesystem::path& folder = {});
/// The database in that folder.
std::filesystem::path database_in(const std::filesystem::path& folder);
/// The database and the files that SQLite keeps beside it.
std::vector<std::filesystem::path> database_files_in(const std::filesystem::path& folder);

}  // namespace pystream::profile
