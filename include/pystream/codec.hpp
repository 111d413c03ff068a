#pragma once

#include <cstddef>
#include <cstring>
#include <pystream/error.hpp>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace pystream {

/// How a type travels as bytes between workers. Specialise it for a type of your own:
///
///     template <> struct pystream::Codec<Point> {
///       static std::string name();                                    // shown in messages and `stages`
///       static std::size_t size(const Point&);                        // bytes that encode() will write
///       static void encode(const Point&, std::span<std::byte> to);    // to.size() == size(point)
///       static Point decode(std::span<const std::byte> from);         // throws PayloadError
///     };
///
/// Trivially copyable types, std::string and std::vector of trivially copyable types have one already.
template <class T>
struct Codec;

namespace detail {

template <class T>
struct is_vector : std::false_type {};
template <class T, class A>
struct is_vector<std::vector<T, A>> : std::true_type {
  using value_type_of = T;
};

template <class T>
struct is_span : std::false_type {};
template <class T, std::size_t N>
struct is_span<std::span<T, N>> : std::true_type {};

template <class T>
concept Plain = std::is_trivially_copyable_v<T> && !std::is_pointer_v<T> && !std::is_member_pointer_v<T> &&
                !std::is_reference_v<T> && !std::is_empty_v<T> && !std::is_same_v<T, std::string_view> &&
                !is_span<T>::value && !std::is_void_v<T> && !std::is_null_pointer_v<T>;

template <class T>
std::string plain_name() {
  if constexpr (std::is_same_v<T, bool>) {
    return "bool";
  } else if constexpr (std::is_same_v<T, char>) {
    return "char";
  } else if constexpr (std::is_same_v<T, std::byte>) {
    return "byte";
  } else if constexpr (std::is_floating_point_v<T>) {
    return "float" + std::to_string(8 * sizeof(T));
  } else if constexpr (std::is_integral_v<T>) {
    return (std::is_signed_v<T> ? "int" : "uint") + std::to_string(8 * sizeof(T));
  } else {
    // The spelling of the type inside this function's own name: the same text in every translation unit.
    constexpr std::string_view kWhole = __PRETTY_FUNCTION__;
    constexpr std::size_t kStart = kWhole.find("T = ") + 4;
    constexpr std::size_t kEnd = kWhole.find_first_of(";]", kStart);
    return std::string(kWhole.substr(kStart, kEnd - kStart));
  }
}

/// Marks the codecs whose encoding is the value's own bytes.
struct PlainCodec {};

[[noreturn]] void throw_wrong_size(const std::string& type, std::size_t got, std::size_t expected, bool multiple);

}  // namespace detail

template <detail::Plain T>
struct Codec<T> : detail::PlainCodec {
  static std::string name() { return detail::plain_name<T>(); }
  static constexpr std::size_t size(const T&) { return sizeof(T); }
  static void encode(const T& value, std::span<std::byte> to) { std::memcpy(to.data(), &value, sizeof(T)); }
  static T decode(std::span<const std::byte> from) {
    if (from.size() != sizeof(T)) {
      detail::throw_wrong_size(name(), from.size(), sizeof(T), false);
    }
    T value;
    std::memcpy(&value, from.data(), sizeof(T));
    return value;
  }
};

template <>
struct Codec<std::string> {
  static std::string name() { return "string"; }
  static std::size_t size(const std::string& value) { return value.size(); }
  static void encode(const std::string& value, std::span<std::byte> to) {
    if (!value.empty()) {
      std::memcpy(to.data(), value.data(), value.size());
    }
  }
  static std::string decode(std::span<const std::byte> from) {
    return std::string(reinterpret_cast<const char*>(from.data()), from.size());
  }
};

template <detail::Plain T>
requires(!std::is_same_v<T, bool>) struct Codec<std::vector<T>> {
  static std::string name() { return "vector<" + Codec<T>::name() + ">"; }
  static std::size_t size(const std::vector<T>& value) { return value.size() * sizeof(T); }
  static void encode(const std::vector<T>& value, std::span<std::byte> to) {
    if (!value.empty()) {
      std::memcpy(to.data(), value.data(), to.size());
    }
  }
  static std::vector<T> decode(std::span<const std::byte> from) {
    if (from.size() % sizeof(T) != 0) {
      detail::throw_wrong_size(name(), from.size(), sizeof(T), true);
    }
    std::vector<T> value(from.size() / sizeof(T));
    if (!value.empty()) {
      std::memcpy(value.data(), from.data(), from.size());
    }
    return value;
  }
};

/// A type that can travel between workers.
template <class T>
concept Payload = requires(const T& value, std::span<std::byte> to, std::span<const std::byte> from) {
  { Codec<T>::name() } -> std::convertible_to<std::string>;
  { Codec<T>::size(value) } -> std::convertible_to<std::size_t>;
  Codec<T>::encode(value, to);
  { Codec<T>::decode(from) } -> std::convertible_to<T>;
};

/// Fails to compile, with a sentence that says what to do, if T cannot be an item.
template <class T>
consteval void require_payload() {
  static_assert(!std::is_pointer_v<T>, "pystream: a pointer means nothing in another process; send the value itself");
  static_assert(!std::is_same_v<T, std::string_view>,
                "pystream: string_view points into this process; use std::string");
  static_assert(!detail::is_span<T>::value, "pystream: span points into this process; use std::vector");
  static_assert(!std::is_same_v<T, std::vector<bool>>, "pystream: vector<bool> has no bytes; use std::vector<char>");
  static_assert(Payload<T>,
                "pystream: this type has no Codec; make it trivially copyable or specialise pystream::Codec<T>");
}

/// One per payload type: what lets two stages in one process hand a value over without encoding it.
struct ValueType {
  std::size_t plain_bytes;  ///< size of a value that is its own encoding; 0: call size() and encode()
  std::string (*name)();
  std::size_t (*size)(const void* value);
  void (*encode)(const void* value, std::span<std::byte> to);
};

template <Payload T>
const ValueType& value_type() {
  static constexpr ValueType kType{
      .plain_bytes = detail::Plain<T> && std::is_base_of_v<detail::PlainCodec, Codec<T>> ? sizeof(T) : 0,
      .name = [] { return Codec<T>::name(); },
      .size = [](const void* value) { return Codec<T>::size(*static_cast<const T*>(value)); },
      .encode = [](const void* value, std::span<std::byte> to) { Codec<T>::encode(*static_cast<const T*>(value), to); },
  };
  return kType;
}

}  // namespace pystream
