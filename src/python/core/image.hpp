#pragma once

#include <cstddef>
#include <optional>
#include <pystream/array.hpp>
#include <span>

namespace pystream::python {

/// The first plane of an image of the OpenCV plugin (workers/opencv/image.hpp), as an array of rows, columns and, if
/// there are several, channels.
struct Image {
  ArrayShape shape;
  std::span<const std::byte> pixels;
};

/// Bytes of an item that is an image of one plane with these pixels. Throws PayloadError if no image can be like this.
std::size_t image_item_bytes(const ArrayShape& pixels);
/// Writes everything of it but the pixels, whose place it gives. REQUIRES: `item` has image_item_bytes().
std::span<std::byte> open_image_item(std::span<std::byte> item, const ArrayShape& pixels);

/// nullopt: the item is no image. Throws PayloadError if it begins like one and is damaged.
std::optional<Image> image_in(std::span<const std::byte> item);

}  // namespace pystream::python
