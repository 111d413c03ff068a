#include "python/core/image.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <pystream/error.hpp>
#include <string>

#include "python/core/frame.hpp"

namespace pystream::python {
namespace {

constexpr std::uint32_t kImageMagic = 0x31495350;  // "PSI1"
constexpr std::uint32_t kMaxPlanes = 4;
constexpr std::int32_t kMaxSide = 1 << 20;

struct ImageHead {
  std::uint32_t magic = 0;
  std::uint32_t planes = 0;
  std::uint32_t boxes = 0;
  std::uint32_t reserved = 0;
};

struct PlaneHead {
  std::int32_t rows = 0;
  std::int32_t cols = 0;
  std::int32_t type = 0;  ///< OpenCV's: depth in the lowest three bits, above them channels - 1
  std::int32_t reserved = 0;
};

[[noreturn]] void refuse(std::size_t size, const std::string& why) {
  throw PayloadError("item of " + std::to_string(size) + " bytes is a damaged image: " + why);
}

/// In the order of OpenCV's depths.
constexpr std::array<ElementType, 7> kDepths{{{.kind = 'u', .bytes = 1},
                                              {.kind = 'i', .bytes = 1},
                                              {.kind = 'u', .bytes = 2},
                                              {.kind = 'i', .bytes = 2},
                                              {.kind = 'i', .bytes = 4},
                                              {.kind = 'f', .bytes = 4},
                                              {.kind = 'f', .bytes = 8}}};

std::optional<ElementType> element_of(std::int32_t type) {
  const auto depth = static_cast<std::size_t>(type & 7);
  return depth < kDepths.size() ? std::optional(kDepths[depth]) : std::nullopt;
}

/// nullopt: no image can be like this.
std::optional<PlaneHead> plane_of(const ArrayShape& pixels) {
  const auto depth = std::find(kDepths.begin(), kDepths.end(), pixels.type);
  const std::vector<std::int64_t>& sizes = pixels.sizes;
  const std::int64_t channels = sizes.size() == 3 ? sizes[2] : 1;
  if (depth == kDepths.end() || sizes.size() < 2 || sizes.size() > 3 || channels < 1 || channels > 4 ||
      !pixels.is_rows() ||
      std::any_of(sizes.begin(), sizes.end(), [](std::int64_t size) { return size < 1 || size > kMaxSide; })) {
    return std::nullopt;
  }
  return PlaneHead{.rows = static_cast<std::int32_t>(sizes[0]),
                   .cols = static_cast<std::int32_t>(sizes[1]),
                   .type = static_cast<std::int32_t>((depth - kDepths.begin()) | ((channels - 1) << 3))};
}

constexpr std::size_t kHeads = sizeof(ImageHead) + sizeof(PlaneHead);

}  // namespace

std::size_t image_item_bytes(const ArrayShape& pixels) {
  if (!plane_of(pixels)) {
    throw PayloadError(
        "found an array of " + std::to_string(pixels.sizes.size()) + " dimensions of " + to_string(pixels.type) +
        ", expected an image: rows, columns and up to 4 channels, row after row, of a type that OpenCV has");
  }
  return kHeads + filled_up(pixels.bytes());
}

std::span<std::byte> open_image_item(std::span<std::byte> item, const ArrayShape& pixels) {
  const ImageHead head{.magic = kImageMagic, .planes = 1};
  const PlaneHead plane = plane_of(pixels).value();
  std::memcpy(item.data(), &head, sizeof(head));
  std::memcpy(item.data() + sizeof(head), &plane, sizeof(plane));
  const std::size_t end = kHeads + pixels.bytes();
  std::memset(item.data() + end, 0, item.size() - end);
  return item.subspan(kHeads, pixels.bytes());
}

std::optional<Image> image_in(std::span<const std::byte> item) {
  ImageHead head;
  if (item.size() < sizeof(head)) {
    return std::nullopt;
  }
  std::memcpy(&head, item.data(), sizeof(head));
  if (head.magic != kImageMagic || head.reserved != 0) {
    return std::nullopt;
  }
  if (head.planes < 1 || head.planes > kMaxPlanes || item.size() < sizeof(head) + head.planes * sizeof(PlaneHead)) {
    refuse(item.size(), "it claims " + std::to_string(head.planes) + " planes");
  }
  PlaneHead plane;
  std::memcpy(&plane, item.data() + sizeof(head), sizeof(plane));
  const auto element = element_of(plane.type);
  const std::int32_t channels = (plane.type >> 3) + 1;
  if (!element || plane.rows < 1 || plane.cols < 1 || plane.rows > kMaxSide || plane.cols > kMaxSide || channels < 1 ||
      channels > 4) {
    refuse(item.size(), "its first plane is " + std::to_string(plane.cols) + "x" + std::to_string(plane.rows) +
                            " pixels of type " + std::to_string(plane.type));
  }
  std::vector<std::int64_t> sizes{plane.rows, plane.cols};
  if (channels > 1) {
    sizes.push_back(channels);
  }
  Image image{.shape = ArrayShape::rows(*element, std::move(sizes)), .pixels = {}};
  const std::size_t start = sizeof(head) + head.planes * sizeof(PlaneHead);
  if (image.shape.bytes() > item.size() - start) {
    refuse(item.size(), "its first plane would end beyond it");
  }
  image.pixels = item.subspan(start, image.shape.bytes());
  return image;
}

}  // namespace pystream::python
