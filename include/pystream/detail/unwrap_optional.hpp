#pragma once

#include <optional>

namespace pystream::detail {

/// The T of a stage that gives T or std::optional<T>, the latter to filter.
template <class T>
struct unwrap_optional {
  using type = T;
  static constexpr bool kOptional = false;
};
template <class T>
struct unwrap_optional<std::optional<T>> {
  using type = T;
  static constexpr bool kOptional = true;
};

}  // namespace pystream::detail
