#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <pystream/error.hpp>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
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
/// Trivially copyable types, std::string, std::vector of trivially copyable types and std::tuple have one already.
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
struct is_tuple : std::false_type {};
template <class... Ts>
struct is_tuple<std::tuple<Ts...>> : std::true_type {};

template <class T>
concept Plain =
    std::is_trivially_copyable_v<T> && !is_tuple<T>::value && !std::is_pointer_v<T> && !std::is_member_pointer_v<T> &&
    !std::is_reference_v<T> && !std::is_empty_v<T> && !std::is_same_v<T, std::string_view> && !is_span<T>::value &&
    !std::is_void_v<T> && !std::is_null_pointer_v<T>;

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

/// Trivially copyable types travel as their own bytes.
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

/// A string travels as its characters, without an end mark. Any bytes are a string.
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

/// A vector travels as its elements, one behind another.
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

namespace detail {

/// Parts of a tuple start and end at multiples of it.
inline constexpr std::size_t kTupleAlign = 16;

/// Where a tuple's next part ends, of `size` bytes, if the parts before it end at `at`.
constexpr std::size_t tuple_part_end(std::size_t at, std::size_t size) {
  return at + kTupleAlign + (size + kTupleAlign - 1) / kTupleAlign * kTupleAlign;
}
/// Room for a part behind those that end at `at`. REQUIRES: it fits.
std::span<std::byte> open_tuple_part(std::span<std::byte> tuple, std::size_t at, std::size_t size);

/// Finds the parts of a tuple; how many there are, also if these are more than `parts` has room for. Throws
/// PayloadError if it is none.
std::size_t find_tuple_parts(std::span<const std::byte> tuple, std::span<std::span<const std::byte>> parts);
[[noreturn]] void throw_wrong_parts(const std::string& type, std::size_t got);

}  // namespace detail

/// The items that were put together in a tuple, as bytes: of a stage that takes bytes behind branches that are zipped,
/// the answer of each branch. They lie where the tuple lies, aligned to 16 if the tuple is. Throws PayloadError if this
/// is no tuple.
std::vector<std::span<const std::byte>> tuple_parts(std::span<const std::byte> tuple);

/// What branches that are zipped give. Each element is encoded as its type is: first its size, 8 bytes, then 8 bytes of
/// zeros, then its bytes, filled up to a multiple of 16 with zeros.
template <class... Ts>
requires(sizeof...(Ts) > 0) struct Codec<std::tuple<Ts...>> {
  static std::string name() {
    std::string name;
    ((name += (name.empty() ? "tuple<" : ", ") + Codec<Ts>::name()), ...);
    return name + ">";
  }
  static std::size_t size(const std::tuple<Ts...>& value) {
    std::size_t size = 0;
    std::apply([&](const Ts&... each) { ((size = detail::tuple_part_end(size, Codec<Ts>::size(each))), ...); }, value);
    return size;
  }
  static void encode(const std::tuple<Ts...>& value, std::span<std::byte> to) {
    std::size_t at = 0;
    const auto put = [&]<class T>(const T& each) {
      const std::size_t size = Codec<T>::size(each);
      Codec<T>::encode(each, detail::open_tuple_part(to, at, size));
      at = detail::tuple_part_end(at, size);
    };
    std::apply([&](const Ts&... each) { (put(each), ...); }, value);
  }
  static std::tuple<Ts...> decode(std::span<const std::byte> from) {
    std::array<std::span<const std::byte>, sizeof...(Ts)> parts;
    if (const std::size_t found = detail::find_tuple_parts(from, parts); found != parts.size()) {
      detail::throw_wrong_parts(name(), found);
    }
    return decode_each(parts, std::index_sequence_for<Ts...>());
  }

 private:
  template <std::size_t... I>
  static std::tuple<Ts...> decode_each(const std::array<std::span<const std::byte>, sizeof...(Ts)>& parts,
                                       std::index_sequence<I...>) {
    return std::tuple<Ts...>{Codec<Ts>::decode(parts[I])...};
  }
};

/// A type that can travel between workers: one with a complete Codec.
///
///     static_assert(pystream::Payload<std::vector<float>>);
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

/// One per payload type: what lets two stages in one process hand a value over without encoding it. Compare addresses:
/// two values are of one type if both have the same ValueType.
///
///     const pystream::ValueType& type = pystream::value_type<std::string>();
///     type.name();  // "string"
struct ValueType {
  std::size_t plain_bytes;  ///< size of a value that is its own encoding; 0: call size() and encode()
  /// Codec::name() of the type.
  std::string (*name)();
  /// Bytes that encode() writes for this value.
  std::size_t (*size)(const void* value);
  /// Writes the value. REQUIRES: `to` has size(value) bytes.
  void (*encode)(const void* value, std::span<std::byte> to);
};

/// The ValueType of T; always the same object within a process.
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
