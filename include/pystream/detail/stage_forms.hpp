#pragma once

#include <chrono>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <pystream/detail/item_run.hpp>
#include <pystream/detail/stage_adapter.hpp>
#include <pystream/detail/unwrap_optional.hpp>
#include <pystream/stage.hpp>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

/// The adapter of each form that a source, stage or sink can have.
namespace pystream {
namespace detail {

template <class T>
CheckpointBase* checkpoint_of(T& object) {
  if constexpr (std::is_base_of_v<CheckpointBase, T>) {
    return &object;
  } else if constexpr (std::is_polymorphic_v<T>) {
    return dynamic_cast<CheckpointBase*>(&object);
  } else {
    return nullptr;
  }
}

template <class T>
void emit_result(T&& result, Output& out) {
  if constexpr (unwrap_optional<std::decay_t<T>>::kOptional) {
    if (result) {
      out.emit(*std::forward<T>(result));
    }
  } else {
    out.emit(std::forward<T>(result));
  }
}

/// Keeps the object or callable of a stage, and ends it.
template <class Callee>
class CalleeAdapter : public ItemAdapter {
 public:
  explicit CalleeAdapter(Callee callee) : callee_(std::move(callee)) {}
  void cleanup() override {
    if constexpr (kIsObject) {
      callee_->cleanup();
    }
  }
  CheckpointBase* checkpoint() override {
    if constexpr (kIsObject) {
      return checkpoint_of(*callee_);
    } else {
      return nullptr;
    }
  }

 protected:
  static constexpr bool kIsObject = requires(Callee & callee) { callee->cleanup(); };

  Callee callee_;
};

/// Stage<In, Out> and callables Out(In): a value in, a value or none out.
template <class In, class Out, class Callee>
class FunctionAdapter final : public CalleeAdapter<Callee> {
 public:
  explicit FunctionAdapter(Callee callee) : CalleeAdapter<Callee>(std::move(callee)) {
    require_payload<In>();
    require_payload<typename unwrap_optional<Out>::type>();
  }
  void process(const Item& in, Output& out) override { emit_result(run(in), out); }
  const ValueType* takes() const override { return &value_type<In>(); }
  const ValueType* gives() const override { return &value_type<Given>(); }
  void* give(const Item& in) override {
    given_.reset();
    if constexpr (unwrap_optional<Out>::kOptional) {
      if (Out result = run(in)) {
        given_.emplace(*std::move(result));
      }
    } else {
      given_.emplace(run(in));
    }
    return given_ ? &*given_ : nullptr;
  }
  RunSizes run_sizes() const override {
    if constexpr (kRuns) {
      return {.in = sizeof(In), .out = sizeof(Given), .filters = kFilters};
    } else {
      return {};
    }
  }
  void process_run(ItemRun& run) override {
    if constexpr (kRuns && kFilters) {
      std::byte* place = run.out;
      std::uint64_t bit = 1;
      for_each_item<sizeof(In), 0>(run, [&](const std::byte* in, std::byte*) {
        if (const Out result = call(*reinterpret_cast<const In*>(in))) {
          prefetch_for_write(place + kPrefetchBytes);
          copy_words(place, &*result, sizeof(Given));
          place += sizeof(Given);
          run.given |= bit;
        }
        bit <<= 1;
        return true;
      });
    } else if constexpr (kRuns) {
      for_each_item<sizeof(In), sizeof(Given)>(run, [this](const std::byte* in, std::byte* out) {
        ::new (static_cast<void*>(out)) Given(call(*reinterpret_cast<const In*>(in)));  // made where it will lie
        return true;
      });
    }
  }

 private:
  using Given = typename unwrap_optional<Out>::type;
  static constexpr bool kRuns = RunPayload<In> && RunPayload<Given>;
  static constexpr bool kFilters = unwrap_optional<Out>::kOptional;

  Out run(const Item& in) {
    if (In* mine = in.expiring_value<In>()) {
      return call(std::move(*mine));
    }
    if (const In* here = in.value<In>()) {
      return call(*here);
    }
    return call(Codec<In>::decode(in.bytes()));
  }
  template <class Value>
  Out call(Value&& value) {
    if constexpr (!std::is_invocable_v<Callee&, Value> && std::is_invocable_v<Callee&, In>) {
      return callee_(In(value));  // takes In&&
    } else if constexpr (requires { (*callee_)(std::forward<Value>(value)); }) {
      return (*callee_)(std::forward<Value>(value));
    } else {
      return callee_(std::forward<Value>(value));
    }
  }

  using CalleeAdapter<Callee>::callee_;
  std::optional<Given> given_;
};

/// Callables void(T&): change the value in place.
template <class T, class Callee>
class InPlaceAdapter final : public CalleeAdapter<Callee> {
 public:
  explicit InPlaceAdapter(Callee callee) : CalleeAdapter<Callee>(std::move(callee)) { require_payload<T>(); }
  void process(const Item& in, Output& out) override {
    T value = in.take<T>();
    callee_(value);
    out.emit(std::move(value));
  }
  const ValueType* takes() const override { return &value_type<T>(); }
  const ValueType* gives() const override { return &value_type<T>(); }
  void* give(const Item& in) override {
    given_.emplace(in.take<T>());
    callee_(*given_);
    return &*given_;
  }
  RunSizes run_sizes() const override {
    if constexpr (RunPayload<T>) {
      return {.in = sizeof(T), .out = sizeof(T)};
    } else {
      return {};
    }
  }
  void process_run(ItemRun& run) override {
    if constexpr (RunPayload<T>) {
      for_each_item<sizeof(T), sizeof(T)>(run, [this](const std::byte* in, std::byte* out) {
        std::memcpy(out, in, sizeof(T));
        callee_(*reinterpret_cast<T*>(out));
        return true;
      });
    }
  }

 private:
  using CalleeAdapter<Callee>::callee_;
  std::optional<T> given_;
};

/// Callables void(In, Emitter<Out>&): any number of values out.
template <class In, class Out, class Callee>
class EmittingAdapter final : public CalleeAdapter<Callee> {
 public:
  explicit EmittingAdapter(Callee callee) : CalleeAdapter<Callee>(std::move(callee)) {
    require_payload<In>();
    require_payload<Out>();
  }
  void process(const Item& in, Output& out) override {
    Emitter<Out> emitter(out);
    callee_(in.take<In>(), emitter);
  }
  const ValueType* takes() const override { return &value_type<In>(); }

 private:
  using CalleeAdapter<Callee>::callee_;
};

/// RawStage and callables void(const Item&, Output&).
template <class Callee>
class RawAdapter final : public CalleeAdapter<Callee> {
 public:
  using CalleeAdapter<Callee>::CalleeAdapter;
  void process(const Item& in, Output& out) override {
    if constexpr (requires { (*callee_)(in, out); }) {
      (*callee_)(in, out);
    } else {
      callee_(in, out);
    }
  }

 private:
  using CalleeAdapter<Callee>::callee_;
};

/// AsyncStage, called synchronously unless the worker uses async().
template <class Object>
class AsyncAdapter final : public ItemAdapter {
 public:
  explicit AsyncAdapter(std::unique_ptr<Object> object) : object_(std::move(object)) {}
  void process(const Item& in, Output& out) override {
    object_->submit(in);
    object_->flush();
    while (!object_->collect(out, std::chrono::seconds(1))) {
    }
  }
  void cleanup() override { object_->cleanup(); }
  AsyncStage* async() override { return object_.get(); }
  CheckpointBase* checkpoint() override { return checkpoint_of(*object_); }

 private:
  std::unique_ptr<Object> object_;
};

template <class Out, class Cursor>
std::type_identity<Out> source_out(const Source<Out, Cursor>&);
template <class In, class Cursor>
std::type_identity<In> sink_in(const Sink<In, Cursor>&);

// A class may keep its overrides private; then they are called through the base.
template <class Out, class Cursor>
std::optional<Out> next_through_base(Source<Out, Cursor>& source) {
  return source.next();
}
template <class Object>
auto next_of(Object& source) {
  if constexpr (requires { source.next(); }) {
    return source.next();
  } else {
    return next_through_base(source);
  }
}
template <class In, class Cursor>
void consume_through_base(Sink<In, Cursor>& sink, const In& item) {
  sink(item);
}
template <class Object, class In>
void consume_with(Object& sink, const In& item) {
  if constexpr (requires { sink(item); }) {
    sink(item);
  } else {
    consume_through_base(sink, item);
  }
}

/// The size of the items of a typed source or sink that come in runs; 0: they do not.
template <class Object>
constexpr std::size_t run_payload_bytes() {
  const auto bytes = []<class T>(std::type_identity<T>) { return RunPayload<T> ? sizeof(T) : 0; };
  if constexpr (requires(const Object& object) { source_out(object); }) {
    return bytes(decltype(source_out(std::declval<const Object&>())){});
  } else if constexpr (requires(const Object& object) { sink_in(object); }) {
    return bytes(decltype(sink_in(std::declval<const Object&>())){});
  } else {
    return 0;
  }
}

template <class Object>
std::span<std::byte> cursor_bytes(Object& object) {
  if constexpr (std::is_empty_v<typename Object::Cursor>) {
    return {};
  } else {
    return std::as_writable_bytes(std::span(&object.cursor(), 1));
  }
}

/// Keeps the object of a source or sink. `Role`: its adapter.
template <class Role, class Object>
class EndAdapter : public Role {
 public:
  explicit EndAdapter(std::unique_ptr<Object> object) : object_(std::move(object)) {}
  void start() override {
    if constexpr (requires(Object & object) { object.start(); }) {
      object_->start();
    }
  }
  void resume() override { object_->resume(); }
  void cleanup() override { object_->cleanup(); }
  std::span<std::byte> cursor() override { return cursor_bytes(*object_); }
  CheckpointBase* checkpoint() override { return checkpoint_of(*object_); }

 protected:
  std::unique_ptr<Object> object_;
};

template <class Object>
class SourceObjectAdapter final : public EndAdapter<SourceAdapter, Object> {
 public:
  using EndAdapter<SourceAdapter, Object>::EndAdapter;
  bool produce(Output& out) override { return object_->produce(out); }
  bool buffered() override {
    if constexpr (std::is_base_of_v<RawSource<typename Object::Cursor>, Object>) {
      return static_cast<RawSource<typename Object::Cursor>&>(*object_).buffered();  // overrides may be private
    } else {
      return false;
    }
  }
  RunSizes run_sizes() const override { return {.in = 0, .out = run_payload_bytes<Object>()}; }
  void process_run(ItemRun& run) override {
    if constexpr (run_payload_bytes<Object>() != 0) {
      using Out = typename decltype(source_out(*object_))::type;
      for_each_item<0, sizeof(Out)>(run, [&object = *object_](const std::byte*, std::byte* out) {
        const auto item = next_of(object);
        if (item) {
          copy_words(out, &*item, sizeof(Out));
        }
        return item.has_value();
      });
    }
  }

 private:
  using EndAdapter<SourceAdapter, Object>::object_;
};

template <class Object>
class SinkObjectAdapter final : public EndAdapter<SinkAdapter, Object> {
 public:
  using EndAdapter<SinkAdapter, Object>::EndAdapter;
  void process(const Item& in, Output&) override { object_->consume(in); }
  void passed(std::uint64_t sequence) override {
    if constexpr (std::is_base_of_v<RawSink<typename Object::Cursor>, Object>) {
      static_cast<RawSink<typename Object::Cursor>&>(*object_).passed(sequence);  // overrides may be private
    }
  }
  void flush() override { object_->flush(); }
  RunSizes run_sizes() const override { return {.in = run_payload_bytes<Object>(), .out = 0}; }
  void process_run(ItemRun& run) override {
    if constexpr (run_payload_bytes<Object>() != 0) {
      using In = typename decltype(sink_in(*object_))::type;
      for_each_item<sizeof(In), 0>(run, [&object = *object_](const std::byte* in, std::byte*) {
        consume_with(object, *reinterpret_cast<const In*>(in));
        return true;
      });
    }
  }

 private:
  using EndAdapter<SinkAdapter, Object>::object_;
};

template <class T>
concept SourceClass = requires(T& t, Output& out) {
  typename T::Cursor;
  { t.produce(out) } -> std::same_as<bool>;
};
template <class T>
concept SinkClass = requires(T& t, const Item& in) {
  typename T::Cursor;
  t.consume(in);
};
template <class T>
concept RawStageClass = std::is_base_of_v<RawStage, T>;
template <class T>
concept AsyncStageClass = std::is_base_of_v<AsyncStage, T>;

template <class In, class Out>
std::type_identity<In> stage_in(const Stage<In, Out>&);
template <class In, class Out>
std::type_identity<Out> stage_out(const Stage<In, Out>&);

template <class T>
concept StageClass = requires(const T& t) {
  stage_in(t);
};

/// Wraps a source, stage or sink object.
template <class T>
std::unique_ptr<StageAdapter> adapt(std::unique_ptr<T> object) {
  if constexpr (SourceClass<T>) {
    return std::make_unique<SourceObjectAdapter<T>>(std::move(object));
  } else if constexpr (SinkClass<T>) {
    return std::make_unique<SinkObjectAdapter<T>>(std::move(object));
  } else if constexpr (RawStageClass<T>) {
    return std::make_unique<RawAdapter<std::unique_ptr<T>>>(std::move(object));
  } else if constexpr (AsyncStageClass<T>) {
    return std::make_unique<AsyncAdapter<T>>(std::move(object));
  } else {
    static_assert(StageClass<T>,
                  "pystream: derive from Stage, RawStage, AsyncStage, Source, RawSource, Sink or RawSink");
    using In = typename decltype(stage_in(std::declval<const T&>()))::type;
    using Out = typename decltype(stage_out(std::declval<const T&>()))::type;
    return std::make_unique<FunctionAdapter<In, Out, std::unique_ptr<T>>>(std::move(object));
  }
}

/// The name of the items a class takes; "any" for raw ones, empty for sources.
template <class T>
std::string input_name() {
  if constexpr (requires(const T& t) { stage_in(t); }) {
    return Codec<typename decltype(stage_in(std::declval<const T&>()))::type>::name();
  } else if constexpr (requires(const T& t) { sink_in(t); }) {
    return Codec<typename decltype(sink_in(std::declval<const T&>()))::type>::name();
  } else if constexpr (SourceClass<T>) {
    return {};
  } else {
    return "any";
  }
}

template <class T>
std::string output_name() {
  if constexpr (requires(const T& t) { stage_out(t); }) {
    using Out = typename decltype(stage_out(std::declval<const T&>()))::type;
    return Codec<typename unwrap_optional<Out>::type>::name();
  } else if constexpr (requires(const T& t) { source_out(t); }) {
    return Codec<typename decltype(source_out(std::declval<const T&>()))::type>::name();
  } else if constexpr (SinkClass<T>) {
    return {};
  } else {
    return "any";
  }
}

}  // namespace detail
}  // namespace pystream
