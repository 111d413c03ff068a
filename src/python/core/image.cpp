#include "python/core/image.hpp"

#include <array>
#include <cstdint>
#include <cstring>
#include <pystream/error.hpp>
#include <string>

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

std::optional<ElementType> element_of(std::int32_t type) {
  constexpr std::array<ElementType, 7> kDepths{{{.kind = 'u', .bytes = 1},
                                                {.kind = 'i', .bytes = 1},
                                                {.kind = 'u', .bytes = 2},
                                                {.kind = 'i', .bytes = 2},
                                                {.kind = 'i', .bytes = 4},
                                                {.kind = 'f', .bytes = 4},
                                                {.kind = 'f', .bytes = 8}}};
  const auto depth = static_cast<std::size_t>(type & 7);
  return depth < kDepths.size() ? std::optional(kDepths[depth]) : std::nullopt;
}

}  // namespace

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
