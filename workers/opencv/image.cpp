#include "opencv/image.hpp"

#include <cstring>
#include <pystream/error.hpp>

namespace pystream::opencv {
namespace {

constexpr std::size_t kAlignment = 16;

std::size_t aligned(std::size_t size) {
  return (size + kAlignment - 1) / kAlignment * kAlignment;
}

[[noreturn]] void refuse(std::size_t size, const std::string& why) {
  throw PayloadError("item of " + std::to_string(size) + " bytes is no image: " + why +
                     "; put image.decode or video.read in front of this stage");
}

bool is_plausible(std::int32_t rows, std::int32_t cols, std::int32_t type) {
  return rows >= 1 && cols >= 1 && rows <= kMaxSide && cols <= kMaxSide && type == CV_MAT_TYPE(type) &&
         CV_MAT_DEPTH(type) <= CV_64F && CV_MAT_CN(type) <= 4;
}

std::size_t pixel_bytes(std::int32_t rows, std::int32_t cols, std::int32_t type) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols) * static_cast<std::size_t>(CV_ELEM_SIZE(type));
}

template <class T>
T load(std::span<const std::byte> bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

template <class T>
void store(std::span<std::byte> bytes, std::size_t at, const T& value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

}  // namespace

ImageView::ImageView(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(ImageHeader)) {
    refuse(bytes.size(), "it is shorter than an image's header of 16 bytes");
  }
  const auto header = load<ImageHeader>(bytes, 0);
  if (header.magic != kImageMagic) {
    refuse(bytes.size(), "it does not start like one");
  }
  if (header.planes < 1 || header.planes > kMaxPlanes || header.boxes > kMaxBoxes) {
    refuse(bytes.size(), "it claims " + std::to_string(header.planes) + " planes and " + std::to_string(header.boxes) +
                             " boxes, beyond 1 to " + std::to_string(kMaxPlanes) + " and 0 to " +
                             std::to_string(kMaxBoxes));
  }
  std::size_t at = sizeof(ImageHeader) + header.planes * sizeof(PlaneHeader);
  if (bytes.size() < at) {
    refuse(bytes.size(), "it ends inside its header");
  }
  for (std::uint32_t i = 0; i < header.planes; ++i) {
    const auto plane = load<PlaneHeader>(bytes, sizeof(ImageHeader) + i * sizeof(PlaneHeader));
    if (!is_plausible(plane.rows, plane.cols, plane.type)) {
      refuse(bytes.size(), "its plane " + std::to_string(i) + " claims " + std::to_string(plane.cols) + "x" +
                               std::to_string(plane.rows) + " pixels of type " + std::to_string(plane.type));
    }
    const std::size_t size = pixel_bytes(plane.rows, plane.cols, plane.type);
    if (size > bytes.size() - at || aligned(size) > bytes.size() - at) {
      refuse(bytes.size(), "its plane " + std::to_string(i) + " would end beyond it");
    }
    // OpenCV has no read-only matrix; only const references to it leave this class.
    planes_.emplace_back(plane.rows, plane.cols, plane.type, const_cast<std::byte*>(bytes.data() + at));
    at += aligned(size);
  }
  if (bytes.size() - at != header.boxes * sizeof(Box)) {
    refuse(bytes.size(), std::to_string(bytes.size() - at) + " bytes are left for its " + std::to_string(header.boxes) +
                             " boxes of 16 bytes");
  }
  boxes_.resize(header.boxes);
  if (!boxes_.empty()) {
    std::memcpy(boxes_.data(), bytes.data() + at, boxes_.size() * sizeof(Box));
  }
}

PlaneShape shape_of(const cv::Mat& plane) {
  return {plane.rows, plane.cols, plane.type()};
}

std::string to_string(const PlaneShape& shape) {
  return std::to_string(shape.cols) + "x" + std::to_string(shape.rows) + " " + cv::typeToString(shape.type);
}

ImageBuilder::ImageBuilder(Output& out, std::span<const PlaneShape> planes, std::size_t boxes) : out_(out) {
  std::size_t size = sizeof(ImageHeader) + planes.size() * sizeof(PlaneHeader);
  for (const PlaneShape& plane : planes) {
    if (!is_plausible(plane.rows, plane.cols, plane.type)) {
      throw PayloadError("cannot make an image of " + to_string(plane) + ": expected at least one pixel, at most " +
                         std::to_string(kMaxSide) + " a side and 4 channels");
    }
    size += aligned(pixel_bytes(plane.rows, plane.cols, plane.type));
  }
  if (planes.empty() || planes.size() > kMaxPlanes || boxes > kMaxBoxes) {
    throw PayloadError("cannot make an image with " + std::to_string(planes.size()) + " planes and " +
                       std::to_string(boxes) + " boxes: expected 1 to " + std::to_string(kMaxPlanes) + " and up to " +
                       std::to_string(kMaxBoxes));
  }
  boxes_at_ = size;
  size += boxes * sizeof(Box);
  bytes_ = out.reserve(size).first(size);
  store(bytes_, 0,
        ImageHeader{.magic = kImageMagic,
                    .planes = static_cast<std::uint32_t>(planes.size()),
                    .boxes = static_cast<std::uint32_t>(boxes)});
  std::size_t at = sizeof(ImageHeader) + planes.size() * sizeof(PlaneHeader);
  for (std::size_t i = 0; i < planes.size(); ++i) {
    const PlaneShape& plane = planes[i];
    store(bytes_, sizeof(ImageHeader) + i * sizeof(PlaneHeader),
          PlaneHeader{.rows = plane.rows, .cols = plane.cols, .type = plane.type});
    const std::size_t used = pixel_bytes(plane.rows, plane.cols, plane.type);
    planes_.emplace_back(plane.rows, plane.cols, plane.type, bytes_.data() + at);
    std::memset(bytes_.data() + at + used, 0, aligned(used) - used);
    at += aligned(used);
  }
}

namespace {

std::vector<PlaneShape> shapes_with(const PlaneShape& first, const ImageView& in) {
  std::vector<PlaneShape> shapes{first};
  for (std::size_t i = 1; i < in.planes(); ++i) {
    shapes.push_back(shape_of(in.plane(i)));
  }
  return shapes;
}

}  // namespace

ImageBuilder::ImageBuilder(Output& out, const PlaneShape& plane, const ImageView& in)
    : ImageBuilder(out, shapes_with(plane, in), in.boxes().size()) {
  for (std::size_t i = 1; i < in.planes(); ++i) {
    put(i, in.plane(i));
  }
  for (std::size_t i = 0; i < in.boxes().size(); ++i) {
    set_box(i, in.boxes()[i]);
  }
}

void ImageBuilder::set_box(std::size_t index, const Box& box) {
  store(bytes_, boxes_at_ + index * sizeof(Box), box);
}

void ImageBuilder::put(std::size_t index, const cv::Mat& result) {
  const cv::Mat& place = planes_.at(index);
  if (result.data == place.data) {
    return;
  }
  if (result.size() != place.size() || result.type() != place.type()) {
    throw PayloadError("an image of " + to_string(shape_of(result)) + " was made where " + to_string(shape_of(place)) +
                       " was expected");
  }
  result.copyTo(place);
}

void ImageBuilder::emit() {
  out_.emit_reserved(bytes_.size());
}

void use_one_thread() {
  static const bool kDone = (cv::setNumThreads(1), true);
  static_cast<void>(kDone);
}

}  // namespace pystream::opencv
