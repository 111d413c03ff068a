#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <pystream/enums.hpp>
#include <pystream/params.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "plan/cluster.hpp"
#include "plan/share.hpp"

/// A pipeline description as plain data. Made by plan_json from a file or by the C++ API; nothing here starts
/// anything.
namespace pystream::plan {

using Duration = std::chrono::nanoseconds;

enum class Mode {
  serial,
  parallel,
  branch,  ///< each child gets every item; see Node::join
};
using pystream::Join;
using pystream::OnCrash;
using pystream::OnError;
using pystream::Overflow;
using pystream::StageKind;
using pystream::to_string;

inline constexpr std::uint64_t kItemLimit = 64 << 20;                   ///< bytes of the largest item
inline constexpr Duration kTimeLimit = std::chrono::milliseconds(100);  ///< that a link's items may queue

/// How much a link holds. Without a value the library chooses (see topology.hpp).
struct LinkOptions {
  std::optional<std::uint64_t> items;  ///< at most so many items in the link
  std::optional<std::uint64_t> bytes;  ///< payload bytes; also the largest item
  std::optional<Duration> time;        ///< at most what the consumer works off in this time; 0: no bound
  Overflow overflow = Overflow::block;

  bool operator==(const LinkOptions&) const = default;
  static void fields(auto& self, auto& code) { code(self.items, self.bytes, self.time, self.overflow); }
};

/// What a stage may use; 0 or empty: no limit.
struct Limits {
  std::uint64_t memory = 0;  ///< bytes of address space beyond what the worker maps at its start
  Duration cpu_time{};
  int nice = 0;
  std::vector<int> affinity;  ///< CPU numbers

  bool operator==(const Limits&) const = default;
};

/// What the supervisor does about one stage.
struct FaultPolicy {
  OnCrash on_crash = OnCrash::replay;
  OnError on_error = OnError::dead_letter;
  std::uint32_t max_attempts = 3;                     ///< deaths on one item before it is a dead letter
  std::optional<Duration> timeout;                    ///< one item; none: no deadline
  Duration start_timeout = std::chrono::seconds(60);  ///< from start to ready; also of cleanup()

  bool operator==(const FaultPolicy&) const = default;
};

/// What a source has that says nothing else. A fault of its input is an error of the run, as there is no item that
/// could be kept.
FaultPolicy usual_source_faults();

/// Restart intensity of the whole pipeline.
struct RestartPolicy {
  std::uint32_t max_restarts = 10;
  Duration window = std::chrono::seconds(60);
  Duration backoff_first = std::chrono::milliseconds(10);
  Duration backoff_limit = std::chrono::seconds(5);

  bool operator==(const RestartPolicy&) const = default;
};

struct StageSpec {
  std::string type;  ///< registered type name; empty for a callable of the C++ API
  Params params;
  FaultPolicy faults;
  Limits limits;
  std::optional<LinkOptions> input_link;  ///< the link in front of this stage, if it differs from the plan's

  bool operator==(const StageSpec&) const = default;
};

/// A stage or a pipeline inside a pipeline.
struct Node {
  std::string name;                ///< last part of the profile key
  std::string where;               ///< JSON pointer in the plan file, for messages; empty for the C++ API
  std::optional<StageSpec> stage;  ///< set: a stage; else a pipeline of `mode` with `children`
  Mode mode = Mode::parallel;
  std::vector<Node> children;
  std::uint32_t replicas = 1;  ///< so many of it run beside one another
  /// "auto": the loader of the plan sets `replicas` to what the profile of the last run recommends. Until then it is 2.
  bool auto_replicas = false;
  SharePolicy share{};                ///< which of them an item is for
  Join join = Join::zip;              ///< of a pipeline of Mode::branch
  StageKind kind = StageKind::stage;  ///< of a stage; a sink: the last of a branch that joins nothing
  std::string host{};                 ///< where it runs in a cluster; empty: where what stands before it does

  bool is_pipeline() const { return !stage.has_value(); }
  bool branches() const { return is_pipeline() && mode == Mode::branch; }
  /// Two nodes are the same wherever they stand.
  bool operator==(const Node& other) const {
    return name == other.name && stage == other.stage && mode == other.mode && children == other.children &&
           replicas == other.replicas && share == other.share && join == other.join && kind == other.kind &&
           host == other.host;
  }
};

/// Where a pipeline's items come from or go to.
enum class EndKind {
  none,      ///< (only inside nesting)
  stage,     ///< a source or sink stage
  external,  ///< the user's process: forward() and get_results()
};

/// What is recorded, and how much of it is kept.
struct ProfilerOptions {
  bool enabled = true;
  std::optional<std::filesystem::path> folder;  ///< none: the usual one
  std::uint64_t max_history = 100'000;          ///< single items of one stage in one run
  std::uint64_t rows_per_second = 5'000;        ///< single items of one worker; beyond it they are sampled
  std::uint64_t keep_runs = 20;
  std::uint64_t keep_bytes = 512 << 20;  ///< of the database; older runs go first, the last one stays

  bool operator==(const ProfilerOptions&) const = default;
};

struct Plan {
  std::string name{};  ///< free text; with a cluster see short_name_fault()
  Node root;           ///< the main pipeline
  EndKind entry = EndKind::stage;
  EndKind exit = EndKind::stage;
  Node source;  ///< a stage; only with entry == EndKind::stage
  Node sink;    ///< a stage; only with exit == EndKind::stage
  std::vector<std::string> plugins;
  LinkOptions links;
  RestartPolicy restarts;
  ProfilerOptions profiler;
  std::optional<Cluster> cluster{};  ///< none: all runs on one machine, whatever `host` says

  bool operator==(const Plan&) const = default;
};

/// Separator of the levels in a profile key, and the name of the main pipeline.
inline constexpr std::string_view kSeparator = "__";
/// Behind the name of a stage or pipeline and this stand the number of a replica, from 1, and the names of the workers
/// that do nothing but deal to its replicas and collect from them.
inline constexpr char kReplica = '#';
inline constexpr std::string_view kDealer = "deal";
inline constexpr std::string_view kCollector = "collect";
inline constexpr std::string_view kMainPipeline = "MainPipeline";
inline constexpr std::string_view kFinalStage = "FinalStage";
/// Last parts of the profile keys of a source and a sink without a name.
inline constexpr std::string_view kSource = "Source";
inline constexpr std::string_view kSink = "Sink";
/// Last parts of the names of the user's process at the ends of a pipeline.
inline constexpr std::string_view kEntry = "Entry";
inline constexpr std::string_view kExit = "Exit";

/// A plan that goes beyond these is a mistake, not a pipeline.
inline constexpr std::size_t kMaxNesting = 64;     ///< pipelines inside pipelines
inline constexpr std::size_t kMaxStages = 10'000;  ///< stages and pipelines, at all levels together, replicas too
inline constexpr std::uint32_t kMaxReplicas = 64;  ///< of one stage or pipeline

/// Which naming rule `name` breaks, as a sentence; nullopt if it breaks none. (Uniqueness is the caller's to check.)
[[nodiscard]] std::optional<std::string> stage_name_fault(std::string_view name);

/// Longest name of a host, and of a plan with a cluster: the names of units and streams are made of both.
inline constexpr std::size_t kMaxShortName = 30;
/// The same of the name of a host, or of a plan that has a cluster: lower-case letters, digits and "-", as in DNS.
[[nodiscard]] std::optional<std::string> short_name_fault(std::string_view name);

std::string_view to_string(Mode mode);

}  // namespace pystream::plan
