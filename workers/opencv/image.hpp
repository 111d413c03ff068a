#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <opencv2/core.hpp>
#include <pystream/item.hpp>
#include <span>
#include <string>
#include <vector>

/// Items of type "image": what the stages of this plugin hand to each other, and how to read and write them in
/// place. Include this header in a plugin of your own to work with them.
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

}  // namespace pystream::opencv
