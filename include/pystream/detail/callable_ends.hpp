#pragma once

#include <memory>
#include <optional>
#include <pystream/detail/callable.hpp>
#include <pystream/stage.hpp>
#include <type_traits>
#include <utility>

/// How Pipeline::source() and sink() make the end of a pipeline of what they are given.
namespace pystream::detail {

/// A source or sink made of a callable. What the callable keeps by value is its cursor where it can be: a lambda that
/// counts goes on counting after a restart.
template <class End, class Callable>
class CallableEnd : public End {
 public:
  /// Source and sink of one worker share the journal's room for cursors.
  static constexpr std::size_t kMostState = 64;
  static constexpr bool kHasCursor =
      std::is_trivially_copyable_v<Callable> && !std::is_empty_v<Callable> && sizeof(Callable) <= kMostState;
  using Cursor = std::conditional_t<kHasCursor, Callable, NoCursor>;

  explicit CallableEnd(Callable callable) : callable_(std::move(callable)) {}
  auto& cursor() {
    if constexpr (kHasCursor) {
      return callable_;
    } else {
      return End::cursor();
    }
  }

 protected:
  Callable callable_;
};

/// Callables std::optional<Out>().
template <class Out, class Callable>
class CallableSource final : public CallableEnd<Source<Out>, Callable> {
 public:
  using CallableEnd<Source<Out>, Callable>::CallableEnd;
  std::optional<Out> next() override { return this->callable_(); }
};

/// Callables bool(Output&).
template <class Callable>
class CallableRawSource final : public CallableEnd<RawSource<>, Callable> {
 public:
  using CallableEnd<RawSource<>, Callable>::CallableEnd;
  bool produce(Output& out) override { return this->callable_(out); }
};

/// Callables void(In).
template <class In, class Callable>
class CallableSink final : public CallableEnd<Sink<In>, Callable> {
 public:
  using CallableEnd<Sink<In>, Callable>::CallableEnd;
  void operator()(In item) override { this->callable_(std::move(item)); }
};

/// Callables void(const Item&).
template <class Callable>
class CallableRawSink final : public CallableEnd<RawSink<>, Callable> {
 public:
  using CallableEnd<RawSink<>, Callable>::CallableEnd;
  void consume(const Item& in) override { this->callable_(in); }
};

template <class Callable, class Signature>
StageParts callable_source_parts(Callable callable) {
  using Result = std::decay_t<typename Signature::Result>;
  if constexpr (Signature::kCount == 1) {
    constexpr bool kRaw = std::is_same_v<input_of<Signature, 0>, Output&> && std::is_same_v<Result, bool>;
    static_assert(kRaw, "pystream: a source that writes its items in place is bool(Output&); false is its end");
    if constexpr (kRaw) {
      return adapted_parts(std::make_unique<CallableRawSource<Callable>>(std::move(callable)));
    }
  } else {
    using Out = typename unwrap_optional<Result>::type;
    static_assert(unwrap_optional<Result>::kOptional,
                  "pystream: a source is std::optional<Out>(): std::nullopt says that it has ended");
    require_payload<Out>();
    if constexpr (unwrap_optional<Result>::kOptional && Payload<Out>) {
      return adapted_parts(std::make_unique<CallableSource<Out, Callable>>(std::move(callable)));
    }
  }
}

template <class Callable, class Signature>
StageParts callable_sink_parts(Callable callable) {
  using Argument = input_of<Signature, 0>;
  using In = std::decay_t<Argument>;
  static_assert(std::is_void_v<typename Signature::Result>,
                "pystream: a sink gives nothing back: void(In) or void(const Item&)");
  static_assert(!std::is_lvalue_reference_v<Argument> || std::is_const_v<std::remove_reference_t<Argument>>,
                "pystream: a sink takes its item by value or const reference");
  if constexpr (std::is_same_v<In, Item>) {
    return adapted_parts(std::make_unique<CallableRawSink<Callable>>(std::move(callable)));
  } else {
    require_payload<In>();
    if constexpr (Payload<In>) {
      return adapted_parts(std::make_unique<CallableSink<In, Callable>>(std::move(callable)));
    }
  }
}

/// What Pipeline::source() makes of a source object or a callable.
template <class Form>
StageParts source_parts(Form source) {
  if constexpr (is_unique_ptr<Form>::value) {
    static_assert(SourceClass<typename Form::element_type>,
                  "pystream: a source object derives from Source or RawSource");
    return adapted_parts(std::move(source));
  } else if constexpr (SourceClass<Form>) {
    return adapted_parts(std::make_unique<Form>(std::move(source)));
  } else {
    using Signature = callable_signature<Form>;
    static_assert(Signature::kKnown,
                  "pystream: a source is an object of a class derived from Source or RawSource, or a callable "
                  "std::optional<Out>() or bool(Output&)");
    if constexpr (Signature::kKnown) {
      static_assert(Signature::kCount <= 1, "pystream: a source is std::optional<Out>() or bool(Output&)");
      if constexpr (Signature::kCount <= 1) {
        return callable_source_parts<Form, Signature>(std::move(source));
      }
    }
  }
}

/// What Pipeline::sink() makes of a sink object or a callable.
template <class Form>
StageParts sink_parts(Form sink) {
  if constexpr (is_unique_ptr<Form>::value) {
    static_assert(SinkClass<typename Form::element_type>, "pystream: a sink object derives from Sink or RawSink");
    return adapted_parts(std::move(sink));
  } else if constexpr (SinkClass<Form>) {
    return adapted_parts(std::make_unique<Form>(std::move(sink)));
  } else {
    using Signature = callable_signature<Form>;
    static_assert(Signature::kKnown,
                  "pystream: a sink is an object of a class derived from Sink or RawSink, or a callable void(In) or "
                  "void(const Item&)");
    if constexpr (Signature::kKnown) {
      static_assert(Signature::kCount == 1, "pystream: a sink takes one item: void(In) or void(const Item&)");
      if constexpr (Signature::kCount == 1) {
        return callable_sink_parts<Form, Signature>(std::move(sink));
      }
    }
  }
}

}  // namespace pystream::detail
