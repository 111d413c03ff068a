#pragma once

#include <cstddef>
#include <tuple>
#include <type_traits>

/// What a callable takes and gives, by its one call operator.
namespace pystream::detail {

template <class Function>
struct signature_of {
  static constexpr bool kKnown = false;
};
template <class Out, class... In>
struct signature_of<Out(In...)> {
  static constexpr bool kKnown = true;
  static constexpr std::size_t kCount = sizeof...(In);
  using Result = Out;
  using Inputs = std::tuple<std::type_identity<In>...>;
};
template <class Out, class... In>
struct signature_of<Out (*)(In...)> : signature_of<Out(In...)> {};
template <class Out, class... In>
struct signature_of<Out (*)(In...) noexcept> : signature_of<Out(In...)> {};
template <class Class, class Out, class... In>
struct signature_of<Out (Class::*)(In...)> : signature_of<Out(In...)> {};
template <class Class, class Out, class... In>
struct signature_of<Out (Class::*)(In...) const> : signature_of<Out(In...)> {};
template <class Class, class Out, class... In>
struct signature_of<Out (Class::*)(In...) noexcept> : signature_of<Out(In...)> {};
template <class Class, class Out, class... In>
struct signature_of<Out (Class::*)(In...) const noexcept> : signature_of<Out(In...)> {};

template <class Callable>
concept HasOneCall = requires {
  &Callable::operator();
};

template <class Callable>
struct callable_signature : signature_of<Callable> {};
template <HasOneCall Callable>
struct callable_signature<Callable> : signature_of<decltype(&Callable::operator())> {};

template <class Signature, std::size_t Index>
using input_of = typename std::tuple_element_t<Index, typename Signature::Inputs>::type;

}  // namespace pystream::detail
