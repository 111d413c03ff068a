#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <pystream/error.hpp>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

/// The bodies of messages between processes. Both ends are of one build, on one machine: scalars go as they are.
///
/// A struct takes part if its namespace has a function that lists its fields, for both directions:
///
///     auto fields(base::MaybeConst<Link> auto& link) { return std::tie(link.name, link.items); }
namespace pystream::base {

template <class T, class U>
concept MaybeConst = std::same_as<std::remove_const_t<T>, U>;

template <class T>
concept Scalar = std::is_arithmetic_v<T> || std::is_enum_v<T>;

template <class T>
concept HasFields = requires(T& value) {
  fields(value);
};

/// `size` counts most of which are 0.
template <class List>
struct Sparse {
  List& counts;
  std::size_t size;
};

class Encoder {
 public:
  template <Scalar T>
  Encoder& put(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    return *this;
  }
  Encoder& put(std::string_view text) {
    put(std::uint64_t{text.size()});
    bytes_.append(text);
    return *this;
  }
  template <std::same_as<std::filesystem::path> T>
  Encoder& put(const T& path) {
    return put(std::string_view(path.native()));
  }
  template <class T>
  Encoder& put(const std::vector<T>& values) {
    put(std::uint64_t{values.size()});
    for (const T& value : values) {
      put(value);
    }
    return *this;
  }
  template <class T>
  Encoder& put(const std::optional<T>& value) {
    put(value.has_value());
    return value ? put(*value) : *this;
  }
  template <class A, class B>
  Encoder& put(const std::pair<A, B>& values) {
    return put(values.first).put(values.second);
  }
  template <class List>
  Encoder& put(const Sparse<List>& list) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> used;
    for (std::size_t i = 0; i < list.counts.size(); ++i) {
      if (list.counts[i] > 0) {
        used.emplace_back(i, list.counts[i]);
      }
    }
    return put(used);
  }
  template <HasFields T>
  Encoder& put(const T& value) {
    std::apply([this](const auto&... parts) { (put(parts), ...); }, fields(value));
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

/// Throws Error if there is less than asked for.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : bytes_(bytes) {}

  template <class T>
  T get() {
    T value{};
    read(value);
    return value;
  }
  bool empty() const { return bytes_.empty(); }

 private:
  template <Scalar T>
  void read(T& value) {
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
  }
  void read(std::string& text) { text = take(get<std::uint64_t>()); }
  void read(std::filesystem::path& path) { path = get<std::string>(); }
  template <class T>
  void read(std::vector<T>& values) {
    for (auto left = get<std::uint64_t>(); left > 0; --left) {
      read(values.emplace_back());
    }
  }
  template <class T>
  void read(std::optional<T>& value) {
    if (get<bool>()) {
      value = get<T>();
    }
  }
  template <class A, class B>
  void read(std::pair<A, B>& values) {
    read(values.first);
    read(values.second);
  }
  template <class List>
  void read(Sparse<List>& list) {
    list.counts.assign(list.size, 0);
    for (const auto& [index, count] : get<std::vector<std::pair<std::uint64_t, std::uint64_t>>>()) {
      if (index < list.size) {
        list.counts[index] = count;
      }
    }
  }
  template <HasFields T>
  void read(T& value) {
    std::apply([this](auto&&... parts) { (read(parts), ...); }, fields(value));
  }

  std::string_view take(std::uint64_t size) {
    if (size > bytes_.size()) {
      throw Error("a message of another process is cut short");
    }
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }

  std::string_view bytes_;
};

}  // namespace pystream::base
