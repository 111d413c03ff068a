#pragma once

#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <pystream/error.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

/// Messages between processes of one pipeline and those that open its database for them: all are of one build, on one
/// machine. A message lists its fields once, for both directions:
///
///   struct Event {
///     std::int64_t time_ns = 0;
///     std::string text;
///     static void fields(auto& self, auto& code) { code(self.time_ns, self.text); }
///   };
///
/// A field is a number, an enumerator, a text, a path, a duration, a message, or an optional, a pair or a vector of
/// these.
namespace pystream::base {

/// A field: a list of `size` counts most of which are 0.
template <class List>
struct Sparse {
  List& counts;
  std::size_t size;
};
template <class List>
Sparse(List&, std::size_t) -> Sparse<List>;

class Encoder {
 public:
  template <class T>
  Encoder& put(const T& value) {
    if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
      bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    } else if constexpr (std::is_same_v<T, std::filesystem::path>) {
      put(value.native());
    } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
      const std::string_view text = value;
      put(static_cast<std::uint64_t>(text.size()));
      bytes_.append(text);
    } else {
      put_parts(value);
    }
    return *this;
  }
  template <class... Fields>
  void operator()(const Fields&... fields) {
    (put(fields), ...);
  }
  const std::string& bytes() const { return bytes_; }

 private:
  template <class T>
  void put_parts(const T& value) {
    T::fields(value, *this);
  }
  template <class T>
  void put_parts(const std::optional<T>& value) {
    put(value.has_value()).put(value.value_or(T{}));
  }
  template <class Ticks, class Unit>
  void put_parts(const std::chrono::duration<Ticks, Unit>& value) {
    put(value.count());
  }
  template <class First, class Second>
  void put_parts(const std::pair<First, Second>& value) {
    put(value.first).put(value.second);
  }
  template <class T>
  void put_parts(const std::vector<T>& values) {
    put(static_cast<std::uint64_t>(values.size()));
    for (const T& value : values) {
      put(value);
    }
  }
  template <class List>
  void put_parts(const Sparse<List>& list) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> used;
    for (std::size_t i = 0; i < list.counts.size(); ++i) {
      if (list.counts[i] > 0) {
        used.emplace_back(i, list.counts[i]);
      }
    }
    put(used);
  }

  std::string bytes_;
};

/// Throws Error if there is less than asked for.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : bytes_(bytes) {}

  template <class T>
  T get() {
    T value{};
    take(value);
    return value;
  }
  template <class... Fields>
  void operator()(Fields&&... fields) {
    (take(fields), ...);
  }
  bool empty() const { return bytes_.empty(); }

 private:
  template <class T>
  void take(T& value) {
    if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
      std::memcpy(&value, cut(sizeof(T)).data(), sizeof(T));
    } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::filesystem::path>) {
      value = std::string(cut(get<std::uint64_t>()));
    } else {
      take_parts(value);
    }
  }
  template <class T>
  void take_parts(T& value) {
    T::fields(value, *this);
  }
  template <class T>
  void take_parts(std::optional<T>& value) {
    const bool has_value = get<bool>();
    value = get<T>();
    if (!has_value) {
      value.reset();
    }
  }
  template <class Ticks, class Unit>
  void take_parts(std::chrono::duration<Ticks, Unit>& value) {
    value = std::chrono::duration<Ticks, Unit>(get<Ticks>());
  }
  template <class First, class Second>
  void take_parts(std::pair<First, Second>& value) {
    take(value.first);
    take(value.second);
  }
  template <class T>
  void take_parts(std::vector<T>& values) {
    for (auto left = get<std::uint64_t>(); left > 0; --left) {
      take(values.emplace_back());
    }
  }
  template <class List>
  void take_parts(Sparse<List>& list) {
    list.counts.assign(list.size, 0);
    for (const auto& [index, count] : get<std::vector<std::pair<std::uint64_t, std::uint64_t>>>()) {
      if (index < list.size) {
        list.counts[index] = count;
      }
    }
  }

  std::string_view cut(std::uint64_t size) {
    if (size > bytes_.size()) {
      throw Error("a message between processes is cut short");
    }
    const std::string_view part = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return part;
  }

  std::string_view bytes_;
};

template <class T>
std::string encode(const T& message) {
  return Encoder().put(message).bytes();
}

template <class T>
T decode(std::string_view bytes) {
  return Decoder(bytes).get<T>();
}

}  // namespace pystream::base
