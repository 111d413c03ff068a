#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <pystream/codec.hpp>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace pystream {

/// What one element of an array is, in numpy's terms.
///
///     pystream::to_string(pystream::element_type<float>());  // "float32"
struct ElementType {
  char kind = 'u';          ///< 'b' bool, 'i' signed, 'u' unsigned, 'f' floating point, 'c' complex
  std::uint32_t bytes = 1;  ///< size of one element
  bool swapped = false;     ///< in the byte order that is not this machine's

  bool operator==(const ElementType&) const = default;  ///< the same kind, size and byte order
};
/// "float32", "uint8", "complex128", "int16 (swapped)"
std::string to_string(const ElementType& type);

namespace detail {
template <class T>
struct is_complex : std::false_type {};
template <class T>
struct is_complex<std::complex<T>> : std::true_type {};
}  // namespace detail

/// The element type of a C++ type: bool, an integer, a floating-point number or std::complex of one.
template <class T>
constexpr ElementType element_type() {
  static_assert(std::is_arithmetic_v<T> || detail::is_complex<T>::value, "pystream: no element of an array");
  return {.kind = detail::is_complex<T>::value  ? 'c'
                  : std::is_same_v<T, bool>     ? 'b'
                  : std::is_floating_point_v<T> ? 'f'
                  : std::is_signed_v<T>         ? 'i'
                                                : 'u',
          .bytes = sizeof(T)};
}

/// Type and shape of an array without its elements.
///
///     const auto picture = pystream::ArrayShape::rows(pystream::element_type<std::uint8_t>(), {480, 640, 3});
///     picture.elements();  // 921,600
///     picture.strides;     // {1920, 3, 1} bytes
struct ArrayShape {
  static constexpr std::size_t kMostDimensions = 32;  ///< as in numpy

  ElementType type{};                   ///< of each element
  std::vector<std::int64_t> sizes{};    ///< elements in each dimension, outermost first; none: a single element
  std::vector<std::int64_t> strides{};  ///< bytes from one element to the next in each dimension

  /// Row after row without gaps (numpy's order "C").
  static ArrayShape rows(ElementType type, std::vector<std::int64_t> sizes);
  /// Column after column without gaps (numpy's order "F").
  static ArrayShape columns(ElementType type, std::vector<std::int64_t> sizes);

  /// How many elements: the product of `sizes`, 1 without dimensions.
  std::size_t elements() const;
  /// Of all elements without gaps.
  std::size_t bytes() const { return elements() * type.bytes; }
  /// Whether the elements lie row after row without gaps.
  bool is_rows() const;
  bool operator==(const ArrayShape&) const = default;  ///< the same type, sizes and strides
};

/// An array that lies in the bytes of an item, as Python stages send numpy arrays (src/docs/python_wire.md):
///
///     void operator()(const pystream::Item& in, pystream::Output& out) override {
///       const pystream::ArrayView image(in.bytes());
///       for (const std::uint8_t pixel : image.values<std::uint8_t>()) { ... }
///     }
class ArrayView {
 public:
  /// Throws PayloadError if the bytes are no array. They must outlive this object.
  explicit ArrayView(std::span<const std::byte> item);

  /// Type, sizes and strides, as the item says.
  const ArrayShape& shape() const { return shape_; }
  /// The elements where they lie: all of them, without gaps, in the order that shape().strides tells.
  std::span<const std::byte> bytes() const { return bytes_; }
  /// The elements row after row. Throws PayloadError if they are of another type or in another order.
  template <class T>
  std::span<const T> values() const {
    require_values(element_type<T>(), alignof(T));
    return {reinterpret_cast<const T*>(bytes_.data()), shape_.elements()};
  }

 private:
  void require_values(const ElementType& type, std::size_t alignment) const;

  ArrayShape shape_;
  std::span<const std::byte> bytes_;
};

/// Bytes of an item that holds an array of this shape. Throws PayloadError if no array can be like this: only elements
/// without gaps, row after row or column after column, can.
std::size_t array_item_bytes(const ArrayShape& shape);
/// Writes everything of the item but its elements, whose place it gives. REQUIRES: `item` has array_item_bytes().
std::span<std::byte> open_array_item(std::span<std::byte> item, const ArrayShape& shape);

/// An array that owns its elements; an item type for stages that take or give numpy arrays of Python stages:
///
///     pipeline.add([](pystream::Array image) {
///       for (std::uint8_t& pixel : image.values<std::uint8_t>()) { pixel = 255 - pixel; }
///       return image;
///     }, "Invert");
class Array {
 public:
  Array() : Array(ArrayShape::rows({}, {0})) {}
  /// Zeros.
  explicit Array(ArrayShape shape) : shape_(std::move(shape)), bytes_(shape_.bytes()) {}
  /// A copy.
  explicit Array(const ArrayView& view) : shape_(view.shape()), bytes_(view.bytes().begin(), view.bytes().end()) {}
  /// Rows of `sizes` with these elements, row after row. Throws PayloadError if there are more or fewer of them.
  template <class T>
  static Array of(std::vector<std::int64_t> sizes, std::span<const T> values) {
    Array array(ArrayShape::rows(element_type<T>(), std::move(sizes)));
    require_same_size(array.bytes_.size(), values.size_bytes());
    if (!values.empty()) {
      std::memcpy(array.bytes_.data(), values.data(), values.size_bytes());
    }
    return array;
  }

  /// Type, sizes and strides.
  const ArrayShape& shape() const { return shape_; }
  /// The elements as bytes, in the order that shape().strides tells. Valid as long as this object is.
  std::span<const std::byte> bytes() const { return bytes_; }
  /// The same, to be written.
  std::span<std::byte> bytes() { return bytes_; }
  /// As ArrayView::values().
  template <class T>
  std::span<T> values() {
    require_values(element_type<T>());
    return {reinterpret_cast<T*>(bytes_.data()), shape_.elements()};
  }
  /// As ArrayView::values().
  template <class T>
  std::span<const T> values() const {
    require_values(element_type<T>());
    return {reinterpret_cast<const T*>(bytes_.data()), shape_.elements()};
  }
  bool operator==(const Array&) const = default;  ///< the same shape and the same bytes

 private:
  void require_values(const ElementType& type) const;
  static void require_same_size(std::size_t needed, std::size_t given);

  ArrayShape shape_;
  std::vector<std::byte> bytes_;
};

/// An item as Python stages send and take it.
template <>
struct Codec<Array> {
  static std::string name() { return "array"; }
  static std::size_t size(const Array& array) { return array_item_bytes(array.shape()); }
  static void encode(const Array& array, std::span<std::byte> to) {
    const std::span<std::byte> place = open_array_item(to, array.shape());
    if (!place.empty()) {
      std::memcpy(place.data(), array.bytes().data(), place.size());
    }
  }
  static Array decode(std::span<const std::byte> from) { return Array(ArrayView(from)); }
};

}  // namespace pystream
