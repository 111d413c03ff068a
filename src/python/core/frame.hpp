#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

/// How a Python object lies in the bytes of an item. src/docs/python_wire.md describes it, and is the contract; arrays
/// are read and written by <pystream/array.hpp>.
namespace pystream::python {

inline constexpr std::uint32_t kFrameMagic = 0x31465950;  // "PYF1"
inline constexpr std::size_t kAlign = 16;

enum class FrameKind : std::uint8_t {
  none = 0,
  boolean = 1,   ///< `body` is the value
  integer = 2,   ///< `body` is the value, two's complement
  floating = 3,  ///< `body` is the value's bits
  text = 4,      ///< UTF-8
  bytes = 5,
  pickled = 6,  ///< PickleHead, then buffers
  array = 7,    ///< see ArrayView
};

struct FrameHead {
  std::uint64_t body = 0;  ///< a value, or how many bytes lie behind this
  std::uint32_t magic = kFrameMagic;
  FrameKind kind = FrameKind::none;
  std::array<std::uint8_t, 3> reserved{};
};
static_assert(sizeof(FrameHead) == kAlign);

/// Behind it: the size of each buffer, 8 bytes each; then, each at a multiple of 16 from the start of the item, the
/// pickle and the buffers.
struct PickleHead {
  std::uint64_t pickle_bytes = 0;
  std::uint32_t buffers = 0;
  std::uint32_t reserved = 0;
};
static_assert(sizeof(PickleHead) == kAlign);

/// The head that an item begins with; nullopt: it is none of a Python object.
inline std::optional<FrameHead> frame_head(std::span<const std::byte> item) {
  FrameHead head;
  if (item.size() < sizeof(head)) {
    return std::nullopt;
  }
  std::memcpy(&head, item.data(), sizeof(head));
  return head.magic == kFrameMagic ? std::optional(head) : std::nullopt;
}

constexpr std::size_t filled_up(std::size_t size) {
  return (size + kAlign - 1) / kAlign * kAlign;
}

}  // namespace pystream::python
