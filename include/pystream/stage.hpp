#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <pystream/item.hpp>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace pystream {

/// A stage as a class: one output for each input. `Out` may be std::optional<T>: then std::nullopt filters the
/// item out.
///
/// This and every other class here is used by one thread of one process: the worker's, or in a serial pipeline of the
/// C++ API the user's. A worker that died is replaced by one with a new object (spawn: made by its constructor; fork: a
/// copy of the one that add() was given), so what must outlive it belongs into a Checkpoint.
///
///     struct Shorten : pystream::Stage<std::string> {
///       std::string operator()(std::string line) override { return line.substr(0, 80); }
///     };
template <class In, class Out = In>
class Stage {
 public:
  virtual ~Stage() = default;
  /// Called for every item. An exception makes the item a dead letter; it does not end the worker.
  virtual Out operator()(In item) = 0;
  /// Called once in the worker when the pipeline is cleaned up or the source has ended.
  virtual void cleanup() {}
};

/// A stage that reads and writes shared memory in place and may give any number of items for one.
/// With several items for one input it must be deterministic: after a crash it is run again and as many items
/// as were already out are discarded.
///
///     struct Halves : pystream::RawStage {
///       void operator()(const pystream::Item& in, pystream::Output& out) override {
///         const std::size_t half = in.bytes().size() / 2;
///         out.emit_bytes(in.bytes().first(half));
///         out.emit_bytes(in.bytes().subspan(half));
///       }
///     };
class RawStage {
 public:
  virtual ~RawStage() = default;
  /// Called for every item; both arguments are valid only during the call. Exceptions as with Stage.
  virtual void operator()(const Item& in, Output& out) = 0;
  /// As Stage::cleanup().
  virtual void cleanup() {}
};

/// A stage whose answers come later, such as a program of its own behind pipes: one output for each input, in the
/// order of the inputs, several in flight. In a worker of its own it is fed while earlier answers are outstanding;
/// in a serial pipeline each answer is waited for.
///
///     struct Remote : pystream::AsyncStage {  // a service that answers in order, over a connection of one's own
///       void submit(const pystream::Item& in) override { connection_.send(in.bytes()); }
///       bool collect(pystream::Output& out, std::chrono::nanoseconds wait) override {
///         const auto answer = connection_.receive(wait);
///         if (answer) { out.emit_bytes(*answer); }
///         return answer.has_value();
///       }
///       std::size_t capacity() const override { return 16; }
///       Connection connection_;
///     };
class AsyncStage {
 public:
  virtual ~AsyncStage() = default;
  /// Takes an item. The item's bytes are valid only during the call. Called with at most capacity() - 1 unanswered.
  virtual void submit(const Item& in) = 0;
  /// Emits the answer to the oldest unanswered item; false if there is none within `wait`. An exception other than
  /// StageBroken is the answer: the item is dealt with as the stage's `on_error` says.
  [[nodiscard]] virtual bool collect(Output& out, std::chrono::nanoseconds wait) = 0;
  /// Nothing further is there to submit() at present, and perhaps nothing comes before an answer does: capacity() or
  /// the link's is reached, say. A stage that holds answers back until it gets more must give them after a while.
  virtual void flush() {}
  /// There will be no further submit(); what is unanswered is still collected.
  virtual void finish() {}
  /// How many items may be unanswered at once; at least 1 and always the same. The link in front must hold as many as
  /// the stage wants to see before it answers, by number and by bytes: see LinkCapacity. With less, stage and link wait
  /// for each other for ever.
  virtual std::size_t capacity() const = 0;
  /// As Stage::cleanup().
  virtual void cleanup() {}
};

/// The cursor of a source or sink that needs none.
struct NoCursor {};

/// A source that writes its items in place. The cursor says where it stands; it is committed together with the
/// items, and resume() gets it after a crash.
///
///     struct Count : pystream::RawSource<std::uint64_t> {
///       bool produce(pystream::Output& out) override {
///         if (cursor() == 1000) { return false; }
///         out.emit(cursor()++);
///         return true;
///       }
///     };
template <class CursorType = NoCursor>
class RawSource {
 public:
  using Cursor = CursorType;  ///< trivially copyable
  static_assert(std::is_trivially_copyable_v<Cursor>, "pystream: a cursor is committed as plain bytes");
  virtual ~RawSource() = default;
  /// Called before the first produce() of a run, in the worker. A restarted worker gets resume() instead; only if the
  /// first one died before anything was committed is start() called again.
  virtual void start() {}
  /// Emits the next item (or none, if it was interrupted while waiting). Returns false at the end.
  ///
  /// An exception says that a part of the input cannot be used: a file that cannot be opened, a damaged packet. Set the
  /// cursor behind that part first. The plan's `on_error` then decides: `fail` (the default) ends the run once every
  /// item before the fault has come out; with `skip` and `dead_letter` the part is counted and left out, and produce()
  /// is called again. Exceptions that follow one another max_attempts times without an item and without a change of
  /// the cursor make the source fail in any case.
  [[nodiscard]] virtual bool produce(Output& out) = 0;
  /// True while this object holds whole items that it cannot read again, such as lines read ahead from a pipe. While
  /// the pipeline drains, produce() is called for as long as this is true; it then waits for nothing and reads no
  /// further than to complete an item. A source that does not override this ends at once.
  virtual bool buffered() { return false; }
  /// Called before the first produce() of a restarted worker, with cursor() as it was committed last.
  virtual void resume() {}
  /// Called once at the end of the source, or when the pipeline drains or is cleaned up.
  virtual void cleanup() {}
  /// Where the source stands; zero-initialised in a new run.
  Cursor& cursor() { return cursor_; }

 private:
  Cursor cursor_{};
};

/// A source as a class with typed items: next() gives the next one or std::nullopt at the end.
///
///     struct Squares : pystream::Source<std::uint64_t, std::uint64_t> {  // items and cursor
///       std::optional<std::uint64_t> next() override {
///         const std::uint64_t n = cursor()++;
///         return n < 10 ? std::optional(n * n) : std::nullopt;
///       }
///     };
template <class Out, class CursorType = NoCursor>
class Source : public RawSource<CursorType> {
 public:
  /// The next item, or std::nullopt at the end. Exceptions as with RawSource::produce().
  virtual std::optional<Out> next() = 0;
  bool produce(Output& out) final {
    require_payload<Out>();
    const std::optional<Out> item = next();
    if (item) {
      out.emit(*item);
    }
    return item.has_value();
  }
};

/// A sink that reads its items in place. What it does to the outside world is at least once, unless it can undo
/// back to cursor() in resume() (a file can be truncated).
///
/// The constructor runs again after each death of the worker, so it must not destroy anything; what belongs to the
/// beginning of a run goes into start(), and what belongs to a restart into resume():
///
///     struct LineCount { std::uint64_t bytes = 0; };
///
///     class Report : public pystream::Sink<std::string, LineCount> {
///      public:
///       Report() : fd_(::open("report.txt", O_WRONLY | O_CREAT, 0666)) {}     // opens, and cuts nothing
///       void start() override { cut(0); }                                     // a new run: a new report
///       void resume() override { cut(cursor().bytes); }                       // a restart: what was committed stays
///       void operator()(std::string line) override { cursor().bytes += put(fd_, line); }
///       ...
///
/// start() is called when the first item (or the end of all items) has reached the sink, so a run that fails while its
/// processes start has called it nowhere. The sink is committed right after it, with its cursor. A worker that dies
/// between the two calls start() again: it must be repeatable. After that commit start() is never called again in this
/// run, and each restart calls resume().
template <class CursorType = NoCursor>
class RawSink {
 public:
  using Cursor = CursorType;  ///< trivially copyable
  static_assert(std::is_trivially_copyable_v<Cursor>, "pystream: a cursor is committed as plain bytes");
  virtual ~RawSink() = default;
  /// Called before the first consume() of a run and never after a restart from a commit; see above.
  virtual void start() {}
  /// Takes an item, which is valid only during the call. An exception makes it a dead letter.
  virtual void consume(const Item& in) = 0;
  /// Called before flush(): no item of an input of the pipeline in front of number `sequence` comes any more. For a
  /// sink that tells others how far the pipeline is, also where nothing came of an input.
  virtual void passed([[maybe_unused]] std::uint64_t sequence) {}
  /// Called before every commit: what consume() took must now survive the death of this process (write(2) is
  /// enough), and cursor() must say where the sink stands. It may take long, as where a server answers: the worker then
  /// calls it less often.
  virtual void flush() {}
  /// Called before the first consume() of a restarted worker, with cursor() as it was committed last.
  virtual void resume() {}
  /// Called once, behind the last item; without a start() before it if the run was stopped before that.
  virtual void cleanup() {}
  /// Where the sink stands; zero-initialised in a new run.
  Cursor& cursor() { return cursor_; }

 private:
  Cursor cursor_{};
};

/// A sink as a class with typed items.
///
///     struct Print : pystream::Sink<std::string> {
///       void operator()(std::string line) override { std::puts(line.c_str()); }
///     };
template <class In, class CursorType = NoCursor>
class Sink : public RawSink<CursorType> {
 public:
  /// Takes an item. An exception makes it a dead letter.
  virtual void operator()(In item) = 0;
  void consume(const Item& in) final {
    require_payload<In>();
    (*this)(in.get<In>());
  }
};

/// What all checkpoints have in common; see Checkpoint and CheckpointArea.
class CheckpointBase {
 public:
  virtual ~CheckpointBase() = default;
  /// The bytes to commit with the items done so far.
  virtual std::span<const std::byte> saved_state() const = 0;
  /// Puts committed bytes back after a crash. Throws PayloadError if they cannot be this state.
  virtual void restore_state(std::span<const std::byte> bytes) = 0;
  /// Most bytes that saved_state() may ever give.
  virtual std::size_t state_limit() const = 0;
};

/// State of a stage that survives the death of its worker: derive from it beside Stage.
/// `state()` is committed together with the items that it includes.
///
///     struct Sum : pystream::Stage<std::int64_t>, pystream::Checkpoint<std::int64_t> {
///       std::int64_t operator()(std::int64_t number) override { return state() += number; }
///     };
template <class T>
class Checkpoint : public CheckpointBase {
 public:
  static_assert(std::is_trivially_copyable_v<T>, "pystream: checkpointed state is committed as plain bytes");
  static constexpr std::size_t kStateLimit = sizeof(T);  ///< bytes of shared memory that it needs, twice
  /// The state; zero-initialised in a new run, and as it was committed last after a crash.
  T& state() { return state_; }
  /// The same, to be read.
  const T& state() const { return state_; }

  std::span<const std::byte> saved_state() const final { return std::as_bytes(std::span(&state_, 1)); }
  void restore_state(std::span<const std::byte> bytes) final { state_ = Codec<T>::decode(bytes); }
  std::size_t state_limit() const final { return kStateLimit; }

 private:
  T state_{};
};

/// The same for state of a size known only at run time, up to `Limit` bytes.
///
///     struct LastLine : pystream::Stage<std::string>, pystream::CheckpointArea<4096> {
///       std::string operator()(std::string line) override {
///         const std::string last(reinterpret_cast<const char*>(area().data()), area().size());
///         const auto bytes = std::as_bytes(std::span(line).first(std::min<std::size_t>(line.size(), 4096)));
///         area().assign(bytes.begin(), bytes.end());
///         return last + " -> " + line;
///       }
///     };
template <std::size_t Limit>
class CheckpointArea : public CheckpointBase {
 public:
  static constexpr std::size_t kStateLimit = Limit;  ///< bytes of shared memory that it needs, twice
  /// May be resized up to Limit; throws nothing by itself, the worker reports an area that grew too large.
  std::vector<std::byte>& area() { return area_; }

  std::span<const std::byte> saved_state() const final { return area_; }
  void restore_state(std::span<const std::byte> bytes) final { area_.assign(bytes.begin(), bytes.end()); }
  std::size_t state_limit() const final { return kStateLimit; }

 private:
  std::vector<std::byte> area_;
};

/// True in a worker once the pipeline is draining: a source that waits for the outside world returns from
/// produce() without an item when a system call gives EINTR, and is not called again if this is true, unless it is
/// RawSource::buffered().
bool draining() noexcept;

/// True in a worker if the end of the items that reaches its sink is not the end of the input: the run pauses (as one
/// part of a plan over several hosts does), a stage in front has failed, or all stops at once. Items may follow in a
/// later run, so a sink that marks the end of its output asks this in RawSink::cleanup():
///
///     void cleanup() override { if (!pystream::cut_short()) { write_end_mark(); } }
///
/// False where the source has come to its end or was drained. Once true it stays true. Thread-safe.
bool cut_short() noexcept;

/// The descriptor of the standard output that pystream-coord was started with, for a sink whose product goes there.
/// What stages print with std::cout or printf() is their worker's log, so that it never comes among a sink's items;
/// only in a worker that a sink has to itself standard output is the real one. In programs of one's own (Pipeline) this
/// is standard output, and stages print where the program prints.
int standard_output() noexcept;

/// A number that outlives this worker: its successor finds what was stored last. For what a source has done to the
/// outside world and cannot commit with its items, such as the bytes it has taken from a pipe. 0 at first.
std::atomic<std::uint64_t>& surviving_number() noexcept;

/// A source or sink says that data of the outside world is lost for good: bytes that were read and cannot be made an
/// item, frames that a restart left unreadable. `text` tells what, where and how much. It goes to standard error; the
/// run counts it on its last line and ends with exit code 3. For a part of the input that a source leaves out, throw
/// from RawSource::produce() instead.
void report_loss(std::string_view text);

}  // namespace pystream
