#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <memory>
#include <pystream/registry.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

/// Tests stages, sources and sinks without processes. TestStage, TestSource and TestSink do in this process, step by
/// step, what a worker does: they hand items over as bytes, keep what comes out, commit, and replace the object after a
/// simulated crash, whose successor gets the same items again. They work with every test framework:
///
///     struct Total : pystream::Stage<int>, pystream::Checkpoint<int> {
///       int operator()(int number) override { return state() += number; }
///     };
///
///     pystream::TestStage<Total> stage;
///     stage.feed(1);
///     stage.feed(2);
///     stage.crash();  // a new Total with the state behind 1; it gets 2 once more, with Item::attempt() 2
///     assert((stage.outputs() == std::vector{1, 3}));
///
/// Objects are made as a worker makes them: from parameters, with the defaults that describe() gives, or by a function
/// for a class that is constructed otherwise. Each class here is for one thread, and loads and starts nothing.
namespace pystream {

/// Keeps what a stage emits, as bytes. An item's memory has exactly the size that was reserved, so that a sanitizer
/// detects writing beyond it.
class KeptOutput : public Output {
 public:
  /// An item that was emitted.
  struct Kept {
    std::string bytes;       ///< as it would lie in a link
    bool forwarded = false;  ///< by Output::forward()
  };

  /// `limit`: the largest item in bytes; beyond it reserve() throws ItemTooLarge as a link does.
  explicit KeptOutput(std::size_t limit = std::size_t{1} << 30) : limit_(limit) {}

  std::span<std::byte> reserve(std::size_t size) override {
    if (size > limit_) {
      throw ItemTooLarge(size, limit_);
    }
    reserved_ = std::make_unique<std::byte[]>(size);
    reserved_size_ = size;
    return {reserved_.get(), size};
  }
  /// Throws std::logic_error if less was reserved.
  void emit_reserved(std::size_t size) override {
    if (size > reserved_size_) {
      throw std::logic_error("emit_reserved() of " + std::to_string(size) + " bytes, but only " +
                             std::to_string(reserved_size_) + " were reserved");
    }
    items_.push_back({.bytes = std::string(reinterpret_cast<const char*>(reserved_.get()), size)});
  }
  void forward(const Item& in) override {
    const std::span<const std::byte> bytes = in.bytes();
    items_.push_back(
        {.bytes = std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), .forwarded = true});
  }

  /// All of them, in the order in which they were emitted.
  const std::vector<Kept>& items() const { return items_; }
  /// Their bytes.
  std::vector<std::string> texts() const {
    std::vector<std::string> out;
    for (const Kept& item : items_) {
      out.push_back(item.bytes);
    }
    return out;
  }
  /// Forgets all.
  void clear() { items_.clear(); }
  /// Forgets all but the first `count` items.
  void keep_first(std::size_t count) {
    if (count < items_.size()) {
      items_.resize(count);
    }
  }

 protected:
  void emit_value(const void* value, const ValueType& type) override {
    const std::size_t size = type.size(value);
    type.encode(value, reserve(size).first(size));
    emit_reserved(size);
  }

 private:
  std::size_t limit_;
  std::unique_ptr<std::byte[]> reserved_;
  std::size_t reserved_size_ = 0;
  std::vector<Kept> items_;
};

namespace detail {

/// What outputs() gives if its caller names no type: the values of a typed stage or source, else bytes.
template <class T>
auto output_of() {
  if constexpr (requires(const T& stage) { detail::stage_out(stage); }) {
    using Out = typename decltype(detail::stage_out(std::declval<const T&>()))::type;
    return std::type_identity<typename detail::unwrap_optional<Out>::type>();
  } else if constexpr (requires(const T& source) { detail::source_out(source); }) {
    return decltype(detail::source_out(std::declval<const T&>()))();
  } else {
    return std::type_identity<std::string>();
  }
}
template <class T>
using OutputOf = typename decltype(output_of<T>())::type;

/// {{"factor", 3}, {"name", "x"}}. A ParamMap would not do: {"name", "x"} alone could be its constructor's arguments.
using GivenParams = std::initializer_list<ParamMap::value_type>;

/// The parameters of a stage as a plan that leaves out the others gives them. Throws InvalidParam for one that the
/// stage does not describe, and for one that is missing and has no default.
inline Params complete_params(const StageInfo& info, ParamMap given) {
  Params params(std::move(given));
  for (const auto& [name, value] : params.values()) {
    bool described = false;
    for (const ParamSpec& spec : info.params) {
      described = described || spec.name == name;
    }
    if (!described) {
      throw InvalidParam("describe() has no parameter \"" + name + "\"");
    }
  }
  for (const ParamSpec& spec : info.params) {
    if (params.has(spec.name)) {
      continue;
    }
    if (!spec.fallback) {
      throw InvalidParam("the parameter \"" + spec.name + "\" must be given; it has no default");
    }
    params.set(spec.name, *spec.fallback);
  }
  return params;
}

/// An object, its successors after crashes, and what the object has committed.
template <class T>
class Incarnations {
 public:
  using Make = std::function<std::unique_ptr<T>()>;

  explicit Incarnations(ParamMap given)
      : Incarnations([given = std::move(given)] {
          StageInfo info;
          if constexpr (requires { T::describe(); }) {
            info = T::describe();
          }
          const Params params = complete_params(info, given);
          if constexpr (std::is_constructible_v<T, const Params&>) {
            return std::make_unique<T>(params);
          } else {
            static_assert(std::is_default_constructible_v<T>,
                          "pystream: give this test a function that makes the object");
            return std::make_unique<T>();
          }
        }) {}
  explicit Incarnations(Make make) : make_(std::move(make)) { replace(); }

  T& object() { return *object_; }
  StageAdapter& adapter() { return *adapter_; }
  bool has_checkpoint() { return adapter_->checkpoint() != nullptr; }

  void commit() {
    const std::span<const std::byte> cursor = adapter_->cursor();
    cursor_.assign(cursor.begin(), cursor.end());
    if (const CheckpointBase* checkpoint = adapter_->checkpoint()) {
      const std::span<const std::byte> state = checkpoint->saved_state();
      if (state.size() > checkpoint->state_limit()) {
        throw std::length_error("the state has " + std::to_string(state.size()) + " bytes; its limit are " +
                                std::to_string(checkpoint->state_limit()));
      }
      state_.assign(state.begin(), state.end());
    }
    committed_ = true;
  }
  bool committed() const { return committed_; }

  /// The object is gone, as with its process: without cleanup(), and with all that was not committed.
  void crash() {
    replace();
    if (!committed_) {
      return;
    }
    if (!cursor_.empty()) {
      std::memcpy(adapter_->cursor().data(), cursor_.data(), cursor_.size());
    }
    if (CheckpointBase* checkpoint = adapter_->checkpoint()) {
      checkpoint->restore_state(state_);
    }
  }

 private:
  void replace() {
    adapter_.reset();
    std::unique_ptr<T> made = make_();
    object_ = made.get();
    adapter_ = detail::adapt(std::move(made));
  }

  Make make_;
  std::unique_ptr<StageAdapter> adapter_;
  T* object_ = nullptr;  ///< the adapter's
  std::vector<std::byte> cursor_;
  std::vector<std::byte> state_;
  bool committed_ = false;
};

/// Items that were handed to an object and are not committed: a successor gets them again.
class UncommittedItems {
 public:
  template <class Process>
  void add(std::string bytes, const Process& process) {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    const Item::Tag tag{.sequence = next_sequence_++,
                        .entered_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()};
    items_.push_back({.tag = tag, .bytes = std::move(bytes)});
    try {
      hand(items_.back(), process);
    } catch (...) {
      items_.pop_back();  // a worker makes it a dead letter and goes on
      throw;
    }
  }
  template <class Process>
  void replay(const Process& process) {
    for (Uncommitted& item : items_) {
      ++item.tag.attempt;
      hand(item, process);
    }
  }
  void clear() { items_.clear(); }

 private:
  struct Uncommitted {
    Item::Tag tag;
    std::string bytes;
  };

  /// In memory of exactly the item's size, so that a sanitizer detects reading beyond it.
  template <class Process>
  static void hand(const Uncommitted& item, const Process& process) {
    const auto copy = std::make_unique<std::byte[]>(item.bytes.size());
    if (!item.bytes.empty()) {
      std::memcpy(copy.get(), item.bytes.data(), item.bytes.size());
    }
    process(Item(item.tag, std::span<const std::byte>(copy.get(), item.bytes.size())));
  }

  std::vector<Uncommitted> items_;
  std::uint64_t next_sequence_ = 0;
};

template <class In>
std::string encoded(const In& value) {
  require_payload<In>();
  std::string bytes(Codec<In>::size(value), '\0');
  Codec<In>::encode(value, std::as_writable_bytes(std::span(bytes)));
  return bytes;
}
inline std::string encoded(const char* text) {
  return text;
}

template <class Out>
std::vector<Out> decoded(const KeptOutput& kept) {
  std::vector<Out> values;
  for (const KeptOutput::Kept& item : kept.items()) {
    values.push_back(Codec<Out>::decode(std::as_bytes(std::span(item.bytes))));
  }
  return values;
}

}  // namespace detail

/// Feeds a stage: a class that derives from Stage, RawStage or AsyncStage.
///
/// An item is committed by commit(); if the stage has a Checkpoint also before the next item, since such a stage is
/// committed item by item. crash() loses what was not committed and repeats it, so outputs() must be what they were:
/// that a stage which gives several items for one is deterministic is tested with `outputs()` before and after.
template <class T>
class TestStage {
 public:
  /// With these parameters, and the defaults of the others. Throws InvalidParam, and what the constructor throws.
  explicit TestStage(detail::GivenParams params = {}) : incarnations_(ParamMap(params)) {}
  /// Of a class that is not made from parameters: `make` is called again after each crash.
  explicit TestStage(typename detail::Incarnations<T>::Make make) : incarnations_(std::move(make)) {}

  /// Hands the stage an item: its bytes in memory that ends with the call. Sequence numbers count from 0. What the
  /// stage throws is thrown here; the item is then given up and has no outputs, and the next one may follow.
  template <class In>
  void feed(const In& item) {
    if (incarnations_.has_checkpoint()) {
      commit();
    }
    const std::size_t before = outputs_.items().size();
    try {
      items_.add(detail::encoded(item), process());
    } catch (...) {
      outputs_.keep_first(before);
      throw;
    }
  }
  /// What came out so far, in order. `Out` is the stage's own output type; of a RawStage or AsyncStage std::string,
  /// which gives the bytes. Throws PayloadError if an output is none.
  template <class Out = detail::OutputOf<T>>
  std::vector<Out> outputs() const {
    return detail::decoded<Out>(outputs_);
  }

  /// Items so far survive a crash, with their outputs and the stage's state.
  void commit() {
    incarnations_.commit();
    items_.clear();
    committed_outputs_ = outputs_.items().size();
  }
  /// The worker is killed; its successor has a new object, the committed state, and gets the items since the last
  /// commit again, each with its sequence number and an attempt() one higher.
  void crash() {
    outputs_.keep_first(committed_outputs_);
    incarnations_.crash();
    items_.replay(process());
  }
  /// The end of the input: commits, and calls the stage's cleanup().
  void finish() {
    commit();
    incarnations_.adapter().cleanup();
  }

  /// The present object. Another one after crash().
  T& object() { return incarnations_.object(); }

 private:
  auto process() {
    return [this](const Item& item) { incarnations_.adapter().taker()->process(item, outputs_); };
  }

  detail::Incarnations<T> incarnations_;
  detail::UncommittedItems items_;
  KeptOutput outputs_;
  std::size_t committed_outputs_ = 0;
};

/// Runs a source: a class that derives from Source or RawSource.
///
///     pystream::TestSource<Numbers> source({{"count", 5}});
///     source.run(2);
///     source.commit();
///     source.run(1);
///     source.crash();  // what came behind the commit is made again
///     source.run();
///     assert((source.outputs() == std::vector{0, 1, 2, 3, 4}));
template <class T>
class TestSource {
 public:
  /// With these parameters, and the defaults of the others. Throws InvalidParam, and what the constructor throws.
  explicit TestSource(detail::GivenParams params = {}) : incarnations_(ParamMap(params)) {}
  /// Of a class that is not made from parameters: `make` is called again after each crash.
  explicit TestSource(typename detail::Incarnations<T>::Make make) : incarnations_(std::move(make)) {}

  /// Makes up to `most` further items; false if the source has ended. The first call begins with start(), the first one
  /// after a crash with resume() (or start(), if nothing was committed before).
  bool run(std::size_t most = std::size_t{1} << 20) {
    SourceAdapter& source = *incarnations_.adapter().source();
    if (!begun_) {
      incarnations_.committed() ? source.resume() : source.start();
      begun_ = true;
    }
    const std::size_t goal = outputs_.items().size() + most;
    while (outputs_.items().size() < goal) {
      if (!source.produce(outputs_)) {
        return false;
      }
    }
    return true;
  }
  /// As TestStage::outputs().
  template <class Out = detail::OutputOf<T>>
  std::vector<Out> outputs() const {
    return detail::decoded<Out>(outputs_);
  }

  /// The items so far survive a crash, with the cursor.
  void commit() {
    incarnations_.commit();
    committed_outputs_ = outputs_.items().size();
  }
  /// The worker is killed: items since the last commit are gone, and the next run() makes them again with a new object.
  void crash() {
    outputs_.keep_first(committed_outputs_);
    incarnations_.crash();
    begun_ = false;
  }
  /// Commits, and calls the source's cleanup().
  void finish() {
    commit();
    incarnations_.adapter().cleanup();
  }

  /// The present object. Another one after crash().
  T& object() { return incarnations_.object(); }

 private:
  detail::Incarnations<T> incarnations_;
  KeptOutput outputs_;
  std::size_t committed_outputs_ = 0;
  bool begun_ = false;
};

/// Feeds a sink: a class that derives from Sink or RawSink. What it does to the outside world is looked at there.
///
///     pystream::TestSink<Report> sink({{"path", "report.txt"}});
///     sink.feed(std::string("one"));
///     sink.commit();
///     sink.feed(std::string("two"));
///     sink.crash();  // resume() undoes what was not committed, "two" comes again
///     sink.finish();
///     assert(read("report.txt") == "one\ntwo\n");
template <class T>
class TestSink {
 public:
  /// With these parameters, and the defaults of the others. Throws InvalidParam, and what the constructor throws.
  explicit TestSink(detail::GivenParams params = {}) : incarnations_(ParamMap(params)) {}
  /// Of a class that is not made from parameters: `make` is called again after each crash.
  explicit TestSink(typename detail::Incarnations<T>::Make make) : incarnations_(std::move(make)) {}

  /// As TestStage::feed(). The first item begins with start(), which is committed by itself.
  template <class In>
  void feed(const In& item) {
    begin();
    items_.add(detail::encoded(item), process());
  }
  /// Calls flush(); the items so far will not come again.
  void commit() {
    begin();
    sink().flush();
    incarnations_.commit();
    items_.clear();
  }
  /// The worker is killed: a new object gets resume() with the committed cursor, and the items since the last commit
  /// once more, with an attempt() one higher. Before the first item: nothing but a new object.
  void crash() {
    incarnations_.crash();
    if (incarnations_.committed()) {
      sink().resume();
    }
    items_.replay(process());
  }
  /// The end of the input: commits, and calls the sink's cleanup().
  void finish() {
    commit();
    sink().cleanup();
  }

  /// The present object. Another one after crash().
  T& object() { return incarnations_.object(); }

 private:
  SinkAdapter& sink() { return *incarnations_.adapter().sink(); }
  void begin() {
    if (!incarnations_.committed()) {
      sink().start();
      incarnations_.commit();
    }
  }
  auto process() {
    return [this](const Item& item) { sink().process(item, nothing_); };
  }

  detail::Incarnations<T> incarnations_;
  detail::UncommittedItems items_;
  KeptOutput nothing_;
};

}  // namespace pystream
