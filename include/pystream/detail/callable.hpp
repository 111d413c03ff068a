#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <pystream/detail/signature.hpp>
#include <pystream/detail/stage_forms.hpp>
#include <pystream/options.hpp>
#include <pystream/params.hpp>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

/// How Pipeline::add() makes a stage of what it is given.
namespace pystream {

/// A stage by the name and parameters of its registered type: the only kind that StartMethod::spawn takes.
struct RegisteredStage {
  std::string type;
  Params params{};
};

/// A stage of items whose type is known at run time alone, such as the objects of another language: bytes in, bytes
/// out.
///
///     pipeline.add(pystream::ErasedStage{.make = [] { return std::make_unique<MyRawStage>(); }}, "Mine");
struct ErasedStage {
  /// Makes the stage where it runs: in its worker, for each replica and again after a restart; of a serial pipeline in
  /// serialize(). What it throws is told as the exception of a stage's constructor is.
  std::function<std::unique_ptr<RawStage>()> make{};
  std::string input = "any";  ///< names of its items, which must be those of its neighbours; "any" fits all
  std::string output = "any";
  /// Values of this type that a stage of the same process gives come as they are (Item::value()) and not as bytes.
  const ValueType* takes = nullptr;
};

namespace detail {

/// A stage before it runs. `adapter` is empty for a registered one and for one that `factory` makes.
struct StageParts {
  std::unique_ptr<StageAdapter> adapter{};
  StageFactory factory{};
  RegisteredStage registered{};
  std::string input{};  ///< name of the items it takes and gives, "any" for raw ones
  std::string output{};
  StageOptions options{};
};

template <class T>
struct emitted {
  static constexpr bool kEmitter = false;
};
template <class T>
struct emitted<Emitter<T>> {
  static constexpr bool kEmitter = true;
  using type = T;
};

template <class T>
struct is_unique_ptr : std::false_type {};
template <class T, class Deleter>
struct is_unique_ptr<std::unique_ptr<T, Deleter>> : std::true_type {};

template <class T>
concept ObjectClass = StageClass<T> || RawStageClass<T> || AsyncStageClass<T>;

/// An object by its class: what it takes and gives, and its adapter.
template <class T>
StageParts adapted_parts(std::unique_ptr<T> object) {
  StageParts parts;
  parts.input = input_name<T>();
  parts.output = output_name<T>();
  parts.adapter = adapt(std::move(object));
  return parts;
}

template <class T>
StageParts object_parts(std::unique_ptr<T> object) {
  static_assert(!SourceClass<T> && !SinkClass<T>,
                "pystream: a source or sink stands at an end of the pipeline; give it to source() or sink()");
  static_assert(ObjectClass<T>, "pystream: a stage object derives from Stage, RawStage or AsyncStage");
  if constexpr (ObjectClass<T>) {
    return adapted_parts(std::move(object));
  }
}

template <class In, class Out, class Callable>
StageParts value_parts(Callable callable) {
  using Value = typename unwrap_optional<Out>::type;
  require_payload<In>();
  require_payload<Value>();
  StageParts parts;
  if constexpr (Payload<In> && Payload<Value>) {  // else the two lines above have said why it fails
    parts.input = Codec<In>::name();
    parts.output = Codec<Value>::name();
    parts.adapter = std::make_unique<FunctionAdapter<In, Out, Callable>>(std::move(callable));
  }
  return parts;
}

template <class T, class Callable>
StageParts in_place_parts(Callable callable) {
  require_payload<T>();
  StageParts parts;
  if constexpr (Payload<T>) {
    parts.input = parts.output = Codec<T>::name();
    parts.adapter = std::make_unique<InPlaceAdapter<T, Callable>>(std::move(callable));
  }
  return parts;
}

template <class In, class Out, class Callable>
StageParts emitting_parts(Callable callable) {
  require_payload<In>();
  require_payload<Out>();
  StageParts parts;
  if constexpr (Payload<In> && Payload<Out>) {
    parts.input = Codec<In>::name();
    parts.output = Codec<Out>::name();
    parts.adapter = std::make_unique<EmittingAdapter<In, Out, Callable>>(std::move(callable));
  }
  return parts;
}

template <class Callable, class Signature>
StageParts one_argument_parts(Callable callable) {
  using Argument = input_of<Signature, 0>;
  using In = std::decay_t<Argument>;
  using Result = typename Signature::Result;
  constexpr bool kInPlace = std::is_lvalue_reference_v<Argument> && !std::is_const_v<std::remove_reference_t<Argument>>;
  if constexpr (std::is_void_v<Result>) {
    static_assert(kInPlace,
                  "pystream: a stage gives its output back: Out(In), std::optional<Out>(In) to filter, or "
                  "void(T&) to change the item in place");
    if constexpr (kInPlace) {
      return in_place_parts<In>(std::move(callable));
    }
  } else {
    static_assert(!kInPlace, "pystream: a stage that returns its output takes its input by value or const reference");
    if constexpr (!kInPlace) {
      return value_parts<In, std::decay_t<Result>>(std::move(callable));
    }
  }
}

template <class Callable, class Signature>
StageParts two_argument_parts(Callable callable) {
  using First = std::decay_t<input_of<Signature, 0>>;
  using Second = std::decay_t<input_of<Signature, 1>>;
  if constexpr (std::is_same_v<First, Item>) {
    static_assert(std::is_same_v<Second, Output>, "pystream: the zero-copy form is void(const Item&, Output&)");
    StageParts parts;
    parts.input = parts.output = "any";
    parts.adapter = std::make_unique<RawAdapter<Callable>>(std::move(callable));
    return parts;
  } else {
    static_assert(emitted<Second>::kEmitter,
                  "pystream: a stage of two arguments is void(In, Emitter<Out>&) or void(const Item&, Output&)");
    if constexpr (emitted<Second>::kEmitter) {
      return emitting_parts<First, typename emitted<Second>::type>(std::move(callable));
    }
  }
}

template <class Callable>
StageParts callable_parts(Callable callable) {
  using Signature = callable_signature<Callable>;
  static_assert(Signature::kKnown,
                "pystream: a stage is a callable with one, non-template operator(): write the item's type instead of "
                "auto, as in [](int x) { return x + 1; }");
  if constexpr (Signature::kKnown) {
    static_assert(Signature::kCount == 1 || Signature::kCount == 2,
                  "pystream: a stage takes one item: Out(In), void(T&), void(In, Emitter<Out>&) or "
                  "void(const Item&, Output&)");
    if constexpr (Signature::kCount == 1) {
      return one_argument_parts<Callable, Signature>(std::move(callable));
    } else if constexpr (Signature::kCount == 2) {
      return two_argument_parts<Callable, Signature>(std::move(callable));
    }
  }
}

template <class Stage>
StageParts stage_parts(Stage stage) {
  if constexpr (is_unique_ptr<Stage>::value) {
    return object_parts(std::move(stage));
  } else if constexpr (ObjectClass<Stage> || SourceClass<Stage> || SinkClass<Stage>) {
    return object_parts(std::make_unique<Stage>(std::move(stage)));
  } else {
    return callable_parts(std::move(stage));
  }
}

}  // namespace detail
}  // namespace pystream
