#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <limits>
#include <memory>
#include <optional>
#include <pystream/dead_letter.hpp>
#include <pystream/detail/callable.hpp>
#include <pystream/detail/callable_ends.hpp>
#include <pystream/options.hpp>
#include <pystream/status.hpp>
#include <ranges>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace pystream {

namespace api {
class PipelineCore;
class LoanSlot;
struct PipelineTree;
}  // namespace api

/// A pipeline that has become a stage of another one; made by Pipeline::as_stage(). Belongs to one thread.
///
///     pystream::PipelineStage stage = child.as_stage();
///     pipeline.add(std::move(stage), "Child");
class PipelineStage {
 public:
  /// For the library itself.
  explicit PipelineStage(std::unique_ptr<api::PipelineTree> tree);
  ~PipelineStage();
  PipelineStage(PipelineStage&&) noexcept;             ///< leaves an empty one behind
  PipelineStage& operator=(PipelineStage&&) noexcept;  ///< leaves an empty one behind
  /// For the library itself.
  std::unique_ptr<api::PipelineTree> take() &&;

 private:
  std::unique_ptr<api::PipelineTree> tree_;
};

/// Room for one item, to be filled in place: in shared memory in a parallel pipeline. While a loan is open, no other
/// thread can forward, and it must be used and destroyed by the thread that took it. Destroyed without forward(),
/// nothing is sent.
///
///     if (pystream::Loan loan = pipeline.loan(frame_bytes)) {
///       camera.read_into(loan.bytes());
///       loan.forward();
///     }
class Loan {
 public:
  Loan();  ///< an empty one
  /// For the library itself.
  explicit Loan(std::unique_ptr<api::LoanSlot> slot);
  ~Loan();
  Loan(Loan&&) noexcept;             ///< leaves an empty one behind
  Loan& operator=(Loan&&) noexcept;  ///< leaves an empty one behind

  /// False if the first link stayed full for input_timeout.
  explicit operator bool() const { return slot_ != nullptr; }
  /// As many bytes as were asked for, aligned to 16.
  std::span<std::byte> bytes() const;
  /// Sends the first `size` bytes. Once; throws Error on a second call, on an empty loan, or if `size` is too large.
  void forward(std::size_t size);
  /// Sends all of it.
  void forward();

 private:
  std::unique_ptr<api::LoanSlot> slot_;
};

/// A streaming pipeline of stages: in this process (serialize()) or with every stage in a process of its own
/// (parallelize()). Pipelines may be stages of others, also branches that each get every item (branch()).
///
/// Its ends are this program, which calls forward() and get_results(), or a source() and a sink() that run as workers
/// too. With both, run() is the whole program:
///
///     pystream::Pipeline pipeline;
///     pipeline.source([n = 0]() mutable { return n < 1000 ? std::optional(n++) : std::nullopt; }, "Numbers");
///     pipeline.add([](int n) { return n * n; }, "Square");
///     pipeline.sink([](int n) { std::cout << n << "\n"; }, "Print");
///     return pipeline.run().complete() ? 0 : 3;
///
/// Threads: forward calls, get_results() and status() may come from different threads at once (one feeds, one reads);
/// two feeding threads take turns. add(), source(), sink(), serialize(), parallelize(), branch(), run(), as_stage() and
/// cleanup() belong to one thread, and no other call may run meanwhile. Processes: a Pipeline acts only in the process
/// that made it; in a child of that process every call throws PipelineUndefined, and its destructor does nothing.
///
/// Every call that needs a running pipeline throws PipelineUndefined before serialize()/parallelize() and after
/// cleanup(), and PipelineTerminated once the pipeline has failed (get_results() first gives what had come out).
class Pipeline {
 public:
  /// An empty pipeline. Starts nothing.
  explicit Pipeline(PipelineOptions options = {});
  /// As cleanup().
  ~Pipeline();
  /// Also of a running pipeline. What was moved from may be destroyed or assigned to, and nothing else.
  Pipeline(Pipeline&&) noexcept;
  /// As cleanup() of this one, then as the constructor.
  Pipeline& operator=(Pipeline&&) noexcept;

  /// Adds a stage behind those that are there; a running pipeline gets it when it is started again. A stage is
  ///  - a callable `Out(In)`, `std::optional<Out>(In)` (std::nullopt filters the item out), `void(T&)` (changes the
  ///    item in place), `void(In, Emitter<Out>&)` (any number of outputs), `void(const Item&, Output&)` (zero-copy);
  ///  - an object of a class derived from Stage, RawStage or AsyncStage, by value or by std::unique_ptr.
  /// `name` is the last part of its profile key; without one it is Stage_1, Stage_2, … Throws InvalidStageName.
  template <class Stage>
  requires(!std::is_same_v<std::decay_t<Stage>, PipelineStage> &&
           !std::is_same_v<std::decay_t<Stage>, RegisteredStage> && !std::is_same_v<std::decay_t<Stage>, ErasedStage> &&
           !std::is_same_v<std::decay_t<Stage>, Pipeline>) Pipeline& add(Stage&& stage, std::string name = {},
                                                                         StageOptions options = {}) {
    detail::StageParts parts = detail::stage_parts<std::decay_t<Stage>>(std::forward<Stage>(stage));
    parts.options = std::move(options);
    return add_parts(std::move(parts), std::move(name));
  }
  /// A registered stage type with parameters.
  Pipeline& add(RegisteredStage stage, std::string name = {}, StageOptions options = {});
  /// A stage of bytes that is made where it runs; StartMethod::spawn refuses it. Throws Error if `stage.make` is empty.
  Pipeline& add(ErasedStage stage, std::string name = {}, StageOptions options = {});
  /// Another pipeline; see as_stage().
  Pipeline& add(PipelineStage child, std::string name = {}, ChildOptions options = {});

  /// What the pipeline reads its items from: it runs as a worker in front of the first stage, and forward() throws. One
  ///  - a callable `std::optional<Out>()` (std::nullopt: it has ended) or `bool(Output&)` (zero-copy; false: the end);
  ///  - an object of a class derived from Source or RawSource, by value or by std::unique_ptr.
  /// A source whose worker is killed continues where it was: the cursor is committed with the items. A callable's
  /// cursor is what it keeps by value, if that is trivially copyable and at most 64 bytes, such as the count in the
  /// example above. What else it keeps is as it was at parallelize(); make such a source a class with a cursor. If
  /// `options.on_error` says nothing, an exception of the source ends the run once all items before it came out. Throws
  /// InvalidStageName; Error if there is a source already.
  template <class Form>
  requires(!std::is_same_v<std::decay_t<Form>, RegisteredStage>) Pipeline& source(Form&& source,
                                                                                  std::string name = "Source",
                                                                                  StageOptions options = {}) {
    detail::StageParts parts = detail::source_parts<std::decay_t<Form>>(std::forward<Form>(source));
    parts.options = std::move(options);
    return add_source(std::move(parts), std::move(name));
  }
  /// A registered source type with parameters, such as {"lines", params}. Throws as the other one does.
  Pipeline& source(RegisteredStage source, std::string name = "Source", StageOptions options = {});
  /// Where the pipeline puts its results: it runs as a worker behind the last stage, and get_results() throws. One
  ///  - a callable `void(In)` or `void(const Item&)` (zero-copy);
  ///  - an object of a class derived from Sink or RawSink, by value or by std::unique_ptr.
  /// Its cursor is as that of a source. What it does to the outside world is at least once if its worker is killed; a
  /// class with a cursor and resume() can make it once, see RawSink.
  /// Throws InvalidStageName; Error if there is a sink already.
  template <class Form>
  requires(!std::is_same_v<std::decay_t<Form>, RegisteredStage>) Pipeline& sink(Form&& sink, std::string name = "Sink",
                                                                                StageOptions options = {}) {
    detail::StageParts parts = detail::sink_parts<std::decay_t<Form>>(std::forward<Form>(sink));
    parts.options = std::move(options);
    return add_sink(std::move(parts), std::move(name));
  }
  /// A registered sink type with parameters. Throws as the other one does.
  Pipeline& sink(RegisteredStage sink, std::string name = "Sink", StageOptions options = {});

  /// Starts the pipeline as parallelize(), waits until its source has ended and everything has reached the sink, and
  /// cleans up. Throws PipelineInitiationError (also without a source or a sink) and PipelineTerminated.
  RunTotals run(const ParallelOptions& options = {});
  /// Waits until the source has ended and everything that it gave was processed; false if that takes longer than
  /// `timeout`. Without a sink, results may still wait for get_results(); with Results::all read them meanwhile. Throws
  /// PipelineTerminated if the pipeline failed or was stopped from outside, Error if there is no source.
  [[nodiscard("false: it was not done in time")]] bool wait(std::chrono::nanoseconds timeout);

  /// Runs the pipeline in this process: forward() calls one stage after another. Parallel pipelines inside still get
  /// their workers; forward() waits for their answers. With a source and a sink one worker runs it all. Throws
  /// PipelineInitiationError (no stages, item types that do not fit, workers that do not start).
  Pipeline& serialize(const SerialOptions& options = {});
  /// Starts the workers and returns when all are ready. Throws PipelineInitiationError.
  /// With StartMethod::fork: call it before this process starts threads (a warning names those there are).
  Pipeline& parallelize(const ParallelOptions& options = {});
  /// As parallelize(), but each member gets every item and works on it by itself; what comes out, options.join says:
  ///
  ///     pystream::Pipeline views;
  ///     views.add([](const Frame& frame) { return edges_of(frame); }, "Edges");
  ///     views.add([](const Frame& frame) { return faces_in(frame); }, "Faces");
  ///     views.branch({.join = pystream::Join::zip});
  ///     pipeline.add(views.as_stage(), "Views");
  ///     pipeline.add([](const std::tuple<Image, Faces>& both) { return draw(both); }, "Draw");
  ///
  /// A member may be a pipeline (as_stage()). With Join::zip none may give two items for one, and with Join::none each
  /// is a pipeline with a sink(). Throws PipelineInitiationError.
  Pipeline& branch(const BranchOptions& options = {});

  /// Sends an item into the pipeline. False if there was no room for input_timeout. Throws PayloadError if the first
  /// stage takes another type, ItemTooLarge; in a serial pipeline also what a stage throws.
  template <class T>
  [[nodiscard("false: there was no room, and the item is not in the pipeline")]] bool forward(const T& item) {
    require_payload<T>();
    if constexpr (Payload<T>) {  // else the line above has said what is wrong
      return forward_value(&item, value_type<T>());
    }
  }
  /// A std::string.
  [[nodiscard("false: there was no room, and the item is not in the pipeline")]] bool forward(const char* text) {
    return forward(std::string(text));
  }
  /// Sends an item from the input generator. Throws Error if there is none.
  [[nodiscard("false: there was no room, and the item is not in the pipeline")]] bool forward();
  /// Sends items that become visible together (as far as the link has room for them). Returns how many were taken:
  /// all, or those before the first that found no room in time. Throws as forward(); then those before the item that is
  /// at fault have been taken.
  template <std::ranges::input_range Items>
  [[nodiscard("what is not counted is not in the pipeline")]] std::size_t forward_all(const Items& items) {
    using Value = std::ranges::range_value_t<Items>;
    require_payload<Value>();
    auto at = std::ranges::begin(items);
    std::optional<Value> held;
    return forward_values(value_type<Value>(), [&]() -> const void* {
      if (at == std::ranges::end(items)) {
        return nullptr;
      }
      if constexpr (std::is_lvalue_reference_v<std::ranges::range_reference_t<const Items>>) {
        return &*at++;
      } else {
        held.emplace(*at++);
        return &*held;
      }
    });
  }
  /// The same for a list in braces.
  template <class T>
  [[nodiscard("what is not counted is not in the pipeline")]] std::size_t forward_all(std::initializer_list<T> items) {
    return forward_all(std::span<const T>(items.begin(), items.size()));
  }
  /// Room for an item of `size` bytes, to be filled in place. Throws ItemTooLarge, and Error if this thread has a
  /// loan open.
  [[nodiscard]] Loan loan(std::size_t size);

  /// Forwards an item of the input generator every `period` from a thread of its own, until stop_loop(); 0: without a
  /// pause. An item for which there was no room is left out. A loop that runs already goes on with the new period.
  void start_loop(std::chrono::nanoseconds period = std::chrono::milliseconds(10));
  /// Ends the loop and rethrows what stopped it earlier, if anything did.
  void stop_loop();

  /// A result, decoded; std::nullopt if there is none (with block_output: none for output_timeout). A result is given
  /// once; of an item that a stage gave up there is none, see dead_letters(). Throws PayloadError if results are of
  /// another type; then the result stays.
  template <class T>
  [[nodiscard("a result is given once")]] std::optional<T> get_results() {
    require_payload<T>();
    if constexpr (Payload<T>) {
      std::optional<T> result;
      take_result(value_type<T>(), [&](std::span<const std::byte> bytes) { result.emplace(Codec<T>::decode(bytes)); });
      return result;
    }
  }

  /// The results that are there, at most `limit`, decoded, in order; none if there is none (with block_output: none for
  /// output_timeout; it waits for the first alone). With Results::newest there is at most one. Throws as get_results().
  template <class T>
  [[nodiscard("a result is given once")]] std::vector<T> get_all_results(
      std::size_t limit = std::numeric_limits<std::size_t>::max()) {
    require_payload<T>();
    std::vector<T> results;
    if constexpr (Payload<T>) {
      take_results(limit, value_type<T>(),
                   [&](std::span<const std::byte> bytes) { results.push_back(Codec<T>::decode(bytes)); });
    }
    return results;
  }

  /// Waits until nothing is in flight: everything that went in has come out as a result (read or not), was filtered
  /// out, or was given up by a stage (status().given_up says how many). A source ends first: it gives what it holds and
  /// cannot read again (RawSource::buffered()). False if that took longer than `timeout`. With Results::all read them
  /// meanwhile.
  [[nodiscard("false: it was not done in time")]] bool drain(std::chrono::nanoseconds timeout);
  /// Ends the pipeline: stages finish the item in work (within two seconds), their cleanup() runs, workers end. What
  /// waits in links is dropped; call drain() first if it matters. Warnings that were not told yet, of items that were
  /// given up or of workers that died, go to the logger. Does nothing if the pipeline does not run.
  void cleanup();

  /// Mean latencies and throughputs since the start; after cleanup() those of the last run. Throws ProfilingError
  /// without `use_profiler`.
  Profiles get_profiles() const;
  /// What its stages and links do now. Throws PipelineUndefined if it does not run.
  PipelineStatus status() const;
  /// Items that a stage in a worker could not process (StageOptions::on_error, on_crash, max_attempts), each with its
  /// bytes: the first `most`, oldest first; after cleanup() those of the last run. None of stages in this process: what
  /// those throw comes out of forward().
  ///
  ///     for (const pystream::DeadLetter& letter : pipeline.dead_letters()) {
  ///       std::cerr << letter.stage << " failed on item " << letter.sequence << ": " << letter.reason << "\n";
  ///       repair(letter.item<int>());
  ///     }
  ///
  /// They stay in the profiler folder, with or without a profiler; `pystream-coord dead-letters` shows and removes
  /// them. That there are some is told in three ways: a warning goes to the logger (set_logger()) with one of the next
  /// calls of this pipeline, at the latest with cleanup(), status() counts them, and this call gives them. Throws
  /// PipelineUndefined before the first run, ProfilingError if they cannot be read.
  std::vector<DeadLetter> dead_letters(std::size_t most = 1000) const;

  /// Turns this pipeline into a stage of another one, of the mode it was given by serialize(), parallelize() or
  /// branch(). If it runs, it is cleaned up; afterwards it is empty. Throws PipelineUndefined if it has no mode yet, or
  /// a source.
  [[nodiscard("this pipeline is empty afterwards")]] PipelineStage as_stage();
  /// The same of a pipeline that was not started, in the mode that the name says. Throws PipelineUndefined if it has a
  /// source.
  [[nodiscard("this pipeline is empty afterwards")]] PipelineStage as_serial_stage();
  /// As as_serial_stage().
  [[nodiscard("this pipeline is empty afterwards")]] PipelineStage as_parallel_stage();
  /// As as_serial_stage().
  [[nodiscard("this pipeline is empty afterwards")]] PipelineStage as_branch_stage(Join join);

 private:
  Pipeline& add_parts(detail::StageParts parts, std::string name);
  Pipeline& add_source(detail::StageParts parts, std::string name);
  Pipeline& add_sink(detail::StageParts parts, std::string name);
  [[nodiscard]] bool forward_value(const void* value, const ValueType& type);
  [[nodiscard]] std::size_t forward_values(const ValueType& type, const std::function<const void*()>& next);
  void take_result(const ValueType& type, const std::function<void(std::span<const std::byte>)>& decode);

  void take_results(std::size_t limit, const ValueType& type,
                    const std::function<void(std::span<const std::byte>)>& decode);

  api::PipelineCore& core() const;

  std::unique_ptr<api::PipelineCore> core_;
};

}  // namespace pystream
