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

/// nullopt: the item is no image. Throws PayloadError if it begins like one and is damaged.
std::optional<Image> image_in(std::span<const std::byte> item);

}  // namespace pystream::python
