#include <algorithm>
#include <array>
#include <bit>
#include <pystream/array.hpp>
#include <pystream/error.hpp>

// The bytes of these items are described in src/docs/python_wire.md.
namespace pystream {
namespace {

constexpr std::uint32_t kFrameMagic = 0x31465950;  // "PYF1"
constexpr std::uint8_t kArrayKind = 7;
constexpr std::size_t kAlign = 16;

struct FrameHead {
  std::uint64_t body = 0;  ///< bytes behind this
  std::uint32_t magic = kFrameMagic;
  std::uint8_t kind = kArrayKind;
  std::array<std::uint8_t, 3> reserved{};
};
static_assert(sizeof(FrameHead) == 16);

struct ArrayHead {
  char kind = 'u';
  std::uint8_t swapped = 0;
  std::uint16_t dimensions = 0;
  std::uint32_t element_bytes = 0;
};
static_assert(sizeof(ArrayHead) == 8);

std::size_t filled_up(std::size_t size) {
  return (size + kAlign - 1) / kAlign * kAlign;
}

/// Where the elements begin.
std::size_t elements_at(std::size_t dimensions) {
  return filled_up(sizeof(FrameHead) + sizeof(ArrayHead) + 2 * dimensions * sizeof(std::int64_t));
}

bool is_element(const ElementType& type) {
  switch (type.kind) {
    case 'b':
      return type.bytes == 1;
    case 'i':
    case 'u':
      return std::has_single_bit(type.bytes) && type.bytes <= 8;
    case 'f':
      return type.bytes == 2 || type.bytes == 4 || type.bytes == 8 || type.bytes == 16;
    case 'c':
      return type.bytes == 8 || type.bytes == 16 || type.bytes == 32;
    default:
      return false;
  }
}

constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 48;

/// What is wrong with a shape, as the end of a sentence; empty: nothing.
std::string fault_of(const ArrayShape& shape) {
  if (!is_element(shape.type)) {
    return "its elements are of kind '" + std::string(1, shape.type.kind) + "' and " +
           std::to_string(shape.type.bytes) + " bytes";
  }
  if (shape.sizes.size() > ArrayShape::kMostDimensions || shape.strides.size() != shape.sizes.size()) {
    return "it has " + std::to_string(shape.sizes.size()) + " dimensions and " + std::to_string(shape.strides.size()) +
           " strides, expected as many of each and at most " + std::to_string(ArrayShape::kMostDimensions);
  }
  std::uint64_t bytes = shape.type.bytes;
  bool empty = false;
  for (const std::int64_t size : shape.sizes) {
    if (size < 0) {
      return "a dimension has the size " + std::to_string(size);
    }
    empty = empty || size == 0;
    const auto factor = static_cast<std::uint64_t>(std::max<std::int64_t>(size, 1));
    if (factor > kMostBytes / bytes) {
      return "it would have more than " + std::to_string(kMostBytes) + " bytes";
    }
    bytes *= factor;
  }
  if (empty || shape == ArrayShape::rows(shape.type, shape.sizes) ||
      shape == ArrayShape::columns(shape.type, shape.sizes)) {
    return {};
  }
  return "its strides leave gaps";
}

[[noreturn]] void refuse(std::size_t size, const std::string& why) {
  throw PayloadError("item of " + std::to_string(size) + " bytes is no array: " + why +
                     "; put a stage that gives an array in front of this one");
}

template <class T>
T load(std::span<const std::byte> from, std::size_t at) {
  T value;
  std::memcpy(&value, from.data() + at, sizeof(value));
  return value;
}

std::vector<std::int64_t> load_numbers(std::span<const std::byte> from, std::size_t at, std::size_t count) {
  std::vector<std::int64_t> numbers(count);
  if (count > 0) {
    std::memcpy(numbers.data(), from.data() + at, count * sizeof(std::int64_t));
  }
  return numbers;
}

std::string with_article(const ArrayShape& shape) {
  return "an array of " + to_string(shape.type) + (shape.is_rows() ? "" : " that does not lie row after row");
}

}  // namespace

std::string to_string(const ElementType& type) {
  std::string name;
  switch (type.kind) {
    case 'b':
      return "bool";
    case 'i':
      name = "int";
      break;
    case 'u':
      name = "uint";
      break;
    case 'f':
      name = "float";
      break;
    default:
      name = "complex";
  }
  return name + std::to_string(8 * type.bytes) + (type.swapped ? " (swapped)" : "");
}

ArrayShape ArrayShape::rows(ElementType type, std::vector<std::int64_t> sizes) {
  ArrayShape shape{.type = type, .sizes = std::move(sizes)};
  shape.strides.resize(shape.sizes.size());
  std::int64_t step = type.bytes;
  for (std::size_t i = shape.sizes.size(); i-- > 0;) {
    shape.strides[i] = step;
    step *= std::max<std::int64_t>(shape.sizes[i], 1);
  }
  return shape;
}

ArrayShape ArrayShape::columns(ElementType type, std::vector<std::int64_t> sizes) {
  ArrayShape shape{.type = type, .sizes = std::move(sizes)};
  shape.strides.resize(shape.sizes.size());
  std::int64_t step = type.bytes;
  for (std::size_t i = 0; i < shape.sizes.size(); ++i) {
    shape.strides[i] = step;
    step *= std::max<std::int64_t>(shape.sizes[i], 1);
  }
  return shape;
}

std::size_t ArrayShape::elements() const {
  std::size_t count = 1;
  for (const std::int64_t size : sizes) {
    count *= static_cast<std::size_t>(size);
  }
  return count;
}

bool ArrayShape::is_rows() const {
  return *this == rows(type, sizes);
}

ArrayView::ArrayView(std::span<const std::byte> item) {
  constexpr std::size_t kHeads = sizeof(FrameHead) + sizeof(ArrayHead);
  if (item.size() < kHeads) {
    refuse(item.size(), "it is shorter than an array's header");
  }
  const auto frame = load<FrameHead>(item, 0);
  if (frame.magic != kFrameMagic || frame.kind != kArrayKind) {
    refuse(item.size(), "it does not start like one");
  }
  const auto head = load<ArrayHead>(item, sizeof(FrameHead));
  const std::size_t start = elements_at(head.dimensions);
  if (frame.body != item.size() - sizeof(FrameHead) || head.dimensions > ArrayShape::kMostDimensions ||
      start > item.size()) {
    refuse(item.size(), "it ends inside its header");
  }
  const std::size_t numbers = head.dimensions * sizeof(std::int64_t);
  shape_ = {.type = {.kind = head.kind, .bytes = head.element_bytes, .swapped = head.swapped != 0},
            .sizes = load_numbers(item, kHeads, head.dimensions),
            .strides = load_numbers(item, kHeads + numbers, head.dimensions)};
  if (const std::string fault = fault_of(shape_); !fault.empty()) {
    refuse(item.size(), fault);
  }
  if (shape_.bytes() != item.size() - start) {
    refuse(item.size(), std::to_string(item.size() - start) + " bytes are left for its " +
                            std::to_string(shape_.bytes()) + " bytes of elements");
  }
  bytes_ = item.subspan(start);
}

void ArrayView::require_values(const ElementType& type, std::size_t alignment) const {
  if (shape_.type != type || !shape_.is_rows()) {
    throw PayloadError("found " + with_article(shape_) + ", expected one of " + to_string(type));
  }
  if (std::bit_cast<std::uintptr_t>(bytes_.data()) % alignment != 0) {
    throw PayloadError("the elements of this array do not lie as " + to_string(type) +
                       " must; give ArrayView the bytes of an item as they are");
  }
}

std::size_t array_item_bytes(const ArrayShape& shape) {
  if (const std::string fault = fault_of(shape); !fault.empty()) {
    throw PayloadError("cannot make an item of this array: " + fault);
  }
  return elements_at(shape.sizes.size()) + shape.bytes();
}

std::span<std::byte> open_array_item(std::span<std::byte> item, const ArrayShape& shape) {
  const FrameHead frame{.body = item.size() - sizeof(FrameHead)};
  const ArrayHead head{.kind = shape.type.kind,
                       .swapped = static_cast<std::uint8_t>(shape.type.swapped ? 1 : 0),
                       .dimensions = static_cast<std::uint16_t>(shape.sizes.size()),
                       .element_bytes = shape.type.bytes};
  const std::size_t start = elements_at(shape.sizes.size());
  std::memset(item.data(), 0, start);
  std::memcpy(item.data(), &frame, sizeof(frame));
  std::size_t at = sizeof(frame);
  std::memcpy(item.data() + at, &head, sizeof(head));
  at += sizeof(head);
  for (const std::vector<std::int64_t>* numbers : {&shape.sizes, &shape.strides}) {
    if (!numbers->empty()) {
      std::memcpy(item.data() + at, numbers->data(), numbers->size() * sizeof(std::int64_t));
    }
    at += numbers->size() * sizeof(std::int64_t);
  }
  return item.subspan(start);
}

void Array::require_values(const ElementType& type) const {
  if (shape_.type != type || !shape_.is_rows()) {
    throw PayloadError("found " + with_article(shape_) + ", expected one of " + to_string(type));
  }
}

void Array::require_same_size(std::size_t needed, std::size_t given) {
  if (needed != given) {
    throw PayloadError("found " + std::to_string(given) + " bytes of elements, expected " + std::to_string(needed) +
                       " for this shape");
  }
}

}  // namespace pystream
