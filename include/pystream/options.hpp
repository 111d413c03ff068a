#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <pystream/codec.hpp>
#include <pystream/detail/unwrap_optional.hpp>
#include <pystream/enums.hpp>
#include <pystream/item.hpp>
#include <pystream/share.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace pystream {

/// What get_results() gives.
enum class Results {
  newest,  ///< the newest result that was not read yet, once; unread ones are replaced, the pipeline never waits
  all,     ///< every result in order; the pipeline waits for a reader (back-pressure)
};

/// How worker processes come into being.
enum class StartMethod {
  fork,   ///< copies of this process: any callable works. Figures hold for heaps below 64 MiB; beyond, use spawn
  spawn,  ///< a worker program is run: only registered stage types (see PYSTREAM_STAGE and RegisteredStage)
};

/// How much a link holds; what is not set the library chooses.
///
///     pipeline.parallelize({.capacity = {.items = 64, .bytes = 128 << 20}});  // of each link
struct LinkCapacity {
  /// At most so many items. Default: four above a sixteenth of the ring (1 MiB; less where links are very many), of
  /// smaller ones as many as it holds.
  std::optional<std::uint64_t> items{};
  std::optional<std::uint64_t> bytes{};  ///< payload bytes; also the size of the largest item (default 64 MiB)
  /// At most what the link's consumer works off in this time, and never less than what keeps both ends busy. 0: no
  /// bound. Default: 100 ms. It holds for links that wait when they are full and that a worker reads, outside serial
  /// pipelines; not for forward() with `block_input` off.
  std::optional<std::chrono::nanoseconds> time{};
};

/// Restart intensity of a pipeline: more than `max_restarts` within `window` without any progress end it.
struct RestartOptions {
  std::uint32_t max_restarts = 10;                                         ///< beyond it the pipeline fails
  std::chrono::nanoseconds window = std::chrono::seconds(60);              ///< that max_restarts counts in
  std::chrono::nanoseconds backoff_first = std::chrono::milliseconds(10);  ///< pause before the second restart; doubles
  std::chrono::nanoseconds backoff_limit = std::chrono::seconds(5);        ///< longest pause
};

/// What the supervisor does about one source, stage or sink. Only in parallel pipelines; in a serial one an exception
/// of a stage comes out of forward().
///
///     pystream::StageOptions careful;
///     careful.timeout = std::chrono::seconds(5);
///     careful.on_error = pystream::OnError::retry;
///     pipeline.add(detect, "Detect", careful);
struct StageOptions {
  OnCrash on_crash = OnCrash::replay;                 ///< what becomes of an item whose worker dies
  std::optional<OnError> on_error{};                  ///< none: dead_letter; of a source: fail
  std::uint32_t max_attempts = 3;                     ///< deaths (with OnError::retry: exceptions) on one item
  std::optional<std::chrono::nanoseconds> timeout{};  ///< of one item; then the worker is killed. None: no deadline
  /// From start to ready; also of cleanup().
  std::chrono::nanoseconds start_timeout = std::chrono::seconds(60);
  /// So many of the stage run beside one another, each in a process of its own, and share the items; results come out
  /// in the order of the items. Each has a state of its own. Only of stages of parallel pipelines; at most 64, or 63 if
  /// they do not share in turn.
  std::uint32_t replicas = 1;
  Share share{};  ///< which replica an item is for
};

/// How a pipeline runs inside another one.
///
///     pipeline.add(detector.as_stage(), "Detector", {.replicas = 2});
struct ChildOptions {
  /// So many of it run beside one another; see StageOptions::replicas.
  std::uint32_t replicas = 1;
  Share share{};  ///< which replica an item is for
};

/// What StartMethod::fork calls around the fork, for a runtime in this process that must know of it: it acquires its
/// locks before the fork and releases them in both processes. None may throw.
struct ForkHooks {
  /// In the thread that starts the pipeline, right before its fork. The runtime then knows of this process's threads,
  /// and no warning names them.
  std::function<void()> before{};
  std::function<void()> in_parent{};  ///< in that thread right after it, also if it has failed
  /// In each worker, before its stages are made: once in a process, also in one that replaces a worker that died. (The
  /// coordinator, which is forked first and forks the workers, calls none.)
  std::function<void()> in_worker{};
};

/// How Pipeline::parallelize() runs a pipeline.
///
///     pipeline.parallelize({.block_output = true, .results = pystream::Results::all});
struct ParallelOptions {
  bool block_input = true;                                             ///< forward() waits while the first link is full
  std::chrono::nanoseconds input_timeout = std::chrono::seconds(10);   ///< how long at most
  bool block_output = false;                                           ///< get_results() waits for a result
  std::chrono::nanoseconds output_timeout = std::chrono::seconds(10);  ///< how long at most
  Results results = Results::newest;                                   ///< what get_results() gives
  StartMethod start_method = StartMethod::fork;                        ///< how workers come into being
  LinkCapacity capacity{};                                             ///< of every link
  Overflow overflow = Overflow::block;                                 ///< of every link but that of the results
  RestartOptions restarts{};                                           ///< how often dead workers are restarted
  /// Runs as worker with `spawn`; with every start method it writes the profile and keeps dead letters, as a process
  /// that was forked out of this program must not open a database. Empty: pystream-worker, where it is found.
  std::filesystem::path worker_program{};
  std::vector<std::string> plugins{};  ///< shared libraries with registered stage types
  ForkHooks fork_hooks{};              ///< for a runtime of another language in this process
  /// What cleanup() gives the workers to finish their items and their own cleanup(); then they are killed.
  std::chrono::nanoseconds stop_grace = std::chrono::seconds(2);
  /// Takes what workers write to standard error, a line at a time, with one of the next calls of the pipeline, at the
  /// latest with cleanup(). Nothing: it goes to standard error, and so do lines for which there is no room, since the
  /// program makes no calls.
  std::function<void(std::string_view stage, std::string_view line)> worker_lines{};
};

/// How Pipeline::serialize() runs a pipeline.
///
///     pipeline.serialize({.results = pystream::Results::all});
struct SerialOptions {
  Results results = Results::newest;  ///< what get_results() gives
  std::size_t results_limit = 1024;   ///< with Results::all: forward() waits (block_input) or refuses beyond
  bool block_input = true;            ///< forward() waits while results_limit is reached
  std::chrono::nanoseconds input_timeout = std::chrono::seconds(10);   ///< how long at most
  bool block_output = false;                                           ///< get_results() waits for a result
  std::chrono::nanoseconds output_timeout = std::chrono::seconds(10);  ///< how long at most
  ParallelOptions children{};  ///< for parallel pipelines inside: start method, capacity, restarts
  /// Takes each result where it comes out, by the thread that calls forward(), without encoding it; get_results() then
  /// gives none. It must not call the pipeline; what it throws comes out of forward().
  std::function<void(const Item& result)> on_result{};
};

/// How Pipeline::branch() runs a pipeline.
///
///     views.branch({.join = pystream::Join::merge});
struct BranchOptions {
  Join join = Join::zip;      ///< what becomes of the answers
  ParallelOptions workers{};  ///< how its workers run
};

/// Makes the items of forward() without argument and of start_loop(): any callable that gives a value, or an
/// std::optional that may be empty (no item this time). It is called in the user's process, by the thread that calls
/// forward() or by that of the loop; what it throws comes out of forward() or of stop_loop().
///
///     pystream::Pipeline pipeline({.input_generator = [n = 0]() mutable { return n++; }});
class InputGenerator {
 public:
  /// What takes a value that was made; false: there was no room.
  using Take = std::function<bool(const void* value, const ValueType& type)>;

  InputGenerator() = default;  ///< none: forward() without argument throws
  /// Of a callable that gives `T` or `std::optional<T>`.
  template <class Callable>
  requires(!std::is_same_v<std::decay_t<Callable>, InputGenerator> && std::is_invocable_v<std::decay_t<Callable>&>)
      InputGenerator(Callable callable)  // NOLINT: converts, so that options take a lambda as it is
      : call_([callable = std::move(callable)](const Take& take) mutable {
          auto made = callable();
          using Made = decltype(made);
          using Value = typename detail::unwrap_optional<Made>::type;
          require_payload<Value>();
          if constexpr (detail::unwrap_optional<Made>::kOptional) {
            return made ? take(&*made, value_type<Value>()) : false;
          } else {
            return take(&made, value_type<Value>());
          }
        }) {}

  /// Whether there is a callable.
  explicit operator bool() const { return static_cast<bool>(call_); }
  /// Makes an item and gives it to `take`; false if there was none or no room.
  bool operator()(const Take& take) const { return call_(take); }

 private:
  std::function<bool(const Take&)> call_;
};

/// What a Pipeline is made with.
///
///     pystream::Pipeline pipeline({.use_profiler = true, .profiler_db_folder = "profiles"});
struct PipelineOptions {
  InputGenerator input_generator{};  ///< makes the items of forward() without argument and of start_loop()
  bool use_profiler = false;         ///< get_profiles() works; of nested pipelines only the outermost one's counts
  std::optional<std::filesystem::path> profiler_db_folder{};  ///< default: get_profiler_db_folder()
};

/// The folder of the profile database of pipelines made from now on. Thread-safe.
void set_profiler_db_folder(std::filesystem::path path);
/// Default: $XDG_STATE_HOME/pystream, else ~/.local/state/pystream.
std::filesystem::path get_profiler_db_folder();

}  // namespace pystream
