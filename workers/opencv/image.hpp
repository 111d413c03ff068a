#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <opencv2/core.hpp>
#include <pystream/error.hpp>
#include <pystream/item.hpp>
#include <span>
#include <string>
#include <vector>

/// Items of type "image": what the stages of this plugin hand to each other, and how to read and write them in
/// place. A plugin of your own includes this header as <pystream/opencv/image.hpp>, is compiled with OpenCV's headers
/// and linked with opencv_core:
///
///     struct Invert : pystream::RawStage {
///       static pystream::StageInfo describe() { return {.summary = "inverts", .input = "image", .output = "image"}; }
///       void operator()(const pystream::Item& in, pystream::Output& out) override {
///         const pystream::opencv::ImageView view(in);
///         pystream::opencv::ImageBuilder result(out, pystream::opencv::shape_of(view.image()), view);
///         cv::Mat place = result.plane(0);
///         cv::bitwise_not(view.image(), place);  // straight into the item
///         result.put(0, place);
///         result.emit();
///       }
///     };
///     PYSTREAM_STAGE("demo.invert", Invert);
///
///     offset            what
///     0                 ImageHeader: magic, number of planes (1 to 4), number of boxes
///     16                PlaneHeader for each plane: rows, cols, OpenCV type
///     16 + 16 planes    pixels of each plane, row after row without gaps, zeros up to the next multiple of 16
///     ...               Box for each box, up to the end of the item
///
/// Plane 0 is the image. Further planes are kept for later stages (image.gray with keep: the original), and so are
/// boxes (image.contours: where something moves). Stages pass on what they do not know.
/// Numbers are in the machine's own byte order: items never leave the machine.
namespace pystream::opencv {

struct ImageHeader {
  std::uint32_t magic = 0;
  std::uint32_t planes = 0;
  std::uint32_t boxes = 0;
  std::uint32_t reserved = 0;
};
static_assert(sizeof(ImageHeader) == 16);

struct PlaneHeader {
  std::int32_t rows = 0;
  std::int32_t cols = 0;
  std::int32_t type = 0;  ///< CV_8UC3, ...
  std::int32_t reserved = 0;
};
static_assert(sizeof(PlaneHeader) == 16);

/// A rectangle in pixels of plane 0.
struct Box {
  std::int32_t x = 0;
  std::int32_t y = 0;
  std::int32_t width = 0;
  std::int32_t height = 0;
  bool operator==(const Box&) const = default;
};
static_assert(sizeof(Box) == 16);

inline constexpr std::uint32_t kImageMagic = 0x31495350;  // "PSI1"
inline constexpr std::uint32_t kMaxPlanes = 4;
inline constexpr std::uint32_t kMaxBoxes = 65536;
inline constexpr std::int32_t kMaxSide = 1 << 20;

/// An image item as it came in. Checks the bytes against what they claim to be.
class ImageView {
 public:
  /// Throws PayloadError. The item's bytes must outlive this object.
  explicit ImageView(std::span<const std::byte> bytes);
  explicit ImageView(const Item& item) : ImageView(item.bytes()) {}

  std::size_t planes() const { return planes_.size(); }
  /// The pixels where they lie, without a copy. They must not be written: the memory is another worker's.
  const cv::Mat& plane(std::size_t index) const { return planes_.at(index); }
  const cv::Mat& image() const { return planes_.front(); }
  const std::vector<Box>& boxes() const { return boxes_; }

 private:
  std::vector<cv::Mat> planes_;
  std::vector<Box> boxes_;
};

/// What a plane holds, without its pixels.
struct PlaneShape {
  int rows = 0;
  int cols = 0;
  int type = CV_8UC1;
  bool operator==(const PlaneShape&) const = default;
};
PlaneShape shape_of(const cv::Mat& plane);
/// "640x480 CV_8UC3"
std::string to_string(const PlaneShape& shape);

/// An image item that goes out, written in place.
class ImageBuilder {
 public:
  /// Reserves the item. Throws ItemTooLarge, or PayloadError if no image can be like this.
  ImageBuilder(Output& out, std::span<const PlaneShape> planes, std::size_t boxes = 0);
  ImageBuilder(Output& out, const PlaneShape& plane) : ImageBuilder(out, std::span(&plane, 1)) {}
  /// An image in place of `in`'s, with everything else of `in` already copied.
  ImageBuilder(Output& out, const PlaneShape& plane, const ImageView& in);

  /// The pixels to write, not initialised. As an OpenCV destination: take a copy of the Mat (it shares the pixels),
  /// and put() it afterwards in case OpenCV preferred memory of its own.
  const cv::Mat& plane(std::size_t index) const { return planes_.at(index); }
  void set_box(std::size_t index, const Box& box);
  /// Copies if OpenCV has put `result` somewhere else.
  void put(std::size_t index, const cv::Mat& result);
  void emit();

 private:
  Output& out_;
  std::span<std::byte> bytes_;
  std::size_t boxes_at_ = 0;
  std::vector<cv::Mat> planes_;
};

/// One thread per worker: the pipeline is what runs in parallel. Called by every stage's constructor.
void use_one_thread();

// ---- implementation ----

namespace image_detail {

inline constexpr std::size_t kAlignment = 16;

inline std::size_t aligned(std::size_t size) {
  return (size + kAlignment - 1) / kAlignment * kAlignment;
}

[[noreturn]] inline void refuse(std::size_t size, const std::string& why) {
  throw PayloadError("item of " + std::to_string(size) + " bytes is no image: " + why +
                     "; put image.decode or video.read in front of this stage");
}

inline bool is_plausible(std::int32_t rows, std::int32_t cols, std::int32_t type) {
  return rows >= 1 && cols >= 1 && rows <= kMaxSide && cols <= kMaxSide && type == CV_MAT_TYPE(type) &&
         CV_MAT_DEPTH(type) <= CV_64F && CV_MAT_CN(type) <= 4;
}

inline std::size_t pixel_bytes(std::int32_t rows, std::int32_t cols, std::int32_t type) {
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

inline std::vector<PlaneShape> shapes_with(const PlaneShape& first, const ImageView& in) {
  std::vector<PlaneShape> shapes{first};
  for (std::size_t i = 1; i < in.planes(); ++i) {
    shapes.push_back(shape_of(in.plane(i)));
  }
  return shapes;
}

}  // namespace image_detail

inline ImageView::ImageView(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(ImageHeader)) {
    image_detail::refuse(bytes.size(), "it is shorter than an image's header of 16 bytes");
  }
  const auto header = image_detail::load<ImageHeader>(bytes, 0);
  if (header.magic != kImageMagic) {
    image_detail::refuse(bytes.size(), "it does not start like one");
  }
  if (header.planes < 1 || header.planes > kMaxPlanes || header.boxes > kMaxBoxes) {
    image_detail::refuse(bytes.size(), "it claims " + std::to_string(header.planes) + " planes and " +
                                           std::to_string(header.boxes) + " boxes, beyond 1 to " +
                                           std::to_string(kMaxPlanes) + " and 0 to " + std::to_string(kMaxBoxes));
  }
  std::size_t at = sizeof(ImageHeader) + header.planes * sizeof(PlaneHeader);
  if (bytes.size() < at) {
    image_detail::refuse(bytes.size(), "it ends inside its header");
  }
  for (std::uint32_t i = 0; i < header.planes; ++i) {
    const auto plane = image_detail::load<PlaneHeader>(bytes, sizeof(ImageHeader) + i * sizeof(PlaneHeader));
    if (!image_detail::is_plausible(plane.rows, plane.cols, plane.type)) {
      image_detail::refuse(bytes.size(), "its plane " + std::to_string(i) + " claims " + std::to_string(plane.cols) +
                                             "x" + std::to_string(plane.rows) + " pixels of type " +
                                             std::to_string(plane.type));
    }
    const std::size_t size = image_detail::pixel_bytes(plane.rows, plane.cols, plane.type);
    if (size > bytes.size() - at || image_detail::aligned(size) > bytes.size() - at) {
      image_detail::refuse(bytes.size(), "its plane " + std::to_string(i) + " would end beyond it");
    }
    // OpenCV has no read-only matrix; only const references to it leave this class.
    planes_.emplace_back(plane.rows, plane.cols, plane.type, const_cast<std::byte*>(bytes.data() + at));
    at += image_detail::aligned(size);
  }
  if (bytes.size() - at != header.boxes * sizeof(Box)) {
    image_detail::refuse(bytes.size(), std::to_string(bytes.size() - at) + " bytes are left for its " +
                                           std::to_string(header.boxes) + " boxes of 16 bytes");
  }
  boxes_.resize(header.boxes);
  if (!boxes_.empty()) {
    std::memcpy(boxes_.data(), bytes.data() + at, boxes_.size() * sizeof(Box));
  }
}

inline PlaneShape shape_of(const cv::Mat& plane) {
  return {plane.rows, plane.cols, plane.type()};
}

inline std::string to_string(const PlaneShape& shape) {
  return std::to_string(shape.cols) + "x" + std::to_string(shape.rows) + " " + cv::typeToString(shape.type);
}

inline ImageBuilder::ImageBuilder(Output& out, std::span<const PlaneShape> planes, std::size_t boxes) : out_(out) {
  std::size_t size = sizeof(ImageHeader) + planes.size() * sizeof(PlaneHeader);
  for (const PlaneShape& plane : planes) {
    if (!image_detail::is_plausible(plane.rows, plane.cols, plane.type)) {
      throw PayloadError("cannot make an image of " + to_string(plane) + ": expected at least one pixel, at most " +
                         std::to_string(kMaxSide) + " a side and 4 channels");
    }
    size += image_detail::aligned(image_detail::pixel_bytes(plane.rows, plane.cols, plane.type));
  }
  if (planes.empty() || planes.size() > kMaxPlanes || boxes > kMaxBoxes) {
    throw PayloadError("cannot make an image with " + std::to_string(planes.size()) + " planes and " +
                       std::to_string(boxes) + " boxes: expected 1 to " + std::to_string(kMaxPlanes) + " and up to " +
                       std::to_string(kMaxBoxes));
  }
  boxes_at_ = size;
  size += boxes * sizeof(Box);
  bytes_ = out.reserve(size).first(size);
  image_detail::store(bytes_, 0,
                      ImageHeader{.magic = kImageMagic,
                                  .planes = static_cast<std::uint32_t>(planes.size()),
                                  .boxes = static_cast<std::uint32_t>(boxes)});
  std::size_t at = sizeof(ImageHeader) + planes.size() * sizeof(PlaneHeader);
  for (std::size_t i = 0; i < planes.size(); ++i) {
    const PlaneShape& plane = planes[i];
    image_detail::store(bytes_, sizeof(ImageHeader) + i * sizeof(PlaneHeader),
                        PlaneHeader{.rows = plane.rows, .cols = plane.cols, .type = plane.type});
    const std::size_t used = image_detail::pixel_bytes(plane.rows, plane.cols, plane.type);
    planes_.emplace_back(plane.rows, plane.cols, plane.type, bytes_.data() + at);
    std::memset(bytes_.data() + at + used, 0, image_detail::aligned(used) - used);
    at += image_detail::aligned(used);
  }
}

inline ImageBuilder::ImageBuilder(Output& out, const PlaneShape& plane, const ImageView& in)
    : ImageBuilder(out, image_detail::shapes_with(plane, in), in.boxes().size()) {
  for (std::size_t i = 1; i < in.planes(); ++i) {
    put(i, in.plane(i));
  }
  for (std::size_t i = 0; i < in.boxes().size(); ++i) {
    set_box(i, in.boxes()[i]);
  }
}

inline void ImageBuilder::set_box(std::size_t index, const Box& box) {
  image_detail::store(bytes_, boxes_at_ + index * sizeof(Box), box);
}

inline void ImageBuilder::put(std::size_t index, const cv::Mat& result) {
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

inline void ImageBuilder::emit() {
  out_.emit_reserved(bytes_.size());
}

inline void use_one_thread() {
  static const bool kDone = (cv::setNumThreads(1), true);
  static_cast<void>(kDone);
}

}  // namespace pystream::opencv
