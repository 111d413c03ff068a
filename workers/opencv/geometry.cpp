#include <algorithm>
#include <limits>
#include <opencv2/imgproc.hpp>

#include "opencv/image_stage.hpp"

/// Size and colour of images.
namespace pystream::opencv {
namespace {

int interpolation_from(const std::string& name) {
  if (name == "nearest") {
    return cv::INTER_NEAREST;
  }
  if (name == "cubic") {
    return cv::INTER_CUBIC;
  }
  return name == "area" ? cv::INTER_AREA : cv::INTER_LINEAR;
}

/// Everything in the item is scaled alike, so that kept planes and boxes still fit the image.
class Resize final : public ImageStage {
 public:
  explicit Resize(const Params& params)
      : ImageStage("image.resize"),
        width_(static_cast<int>(params.integer("width"))),
        height_(static_cast<int>(params.integer("height"))),
        interpolation_(interpolation_from(params.string("interpolation"))) {
    if (width_ < 0 || height_ < 0 || width_ + height_ == 0) {
      throw InvalidParam("image.resize: \"width\" is " + std::to_string(width_) + " and \"height\" is " +
                         std::to_string(height_) + "; expected at least one of them, in pixels");
    }
  }

  static StageInfo describe() {
    return {.summary = "scales images",
            .params = {{.name = "width",
                        .type = ParamType::integer,
                        .fallback = 0,
                        .text = "in pixels; 0: as the height asks for",
                        .min = 0,
                        .max = kMaxSide},
                       {.name = "height",
                        .type = ParamType::integer,
                        .fallback = 0,
                        .text = "in pixels; 0: as the width asks for",
                        .min = 0,
                        .max = kMaxSide},
                       {.name = "interpolation",
                        .type = ParamType::string,
                        .fallback = "linear",
                        .text = "how pixels between pixels are made up",
                        .choices = {"nearest", "linear", "cubic", "area"}}},
            .input = "image",
            .output = "image"};
  }

 private:
  void apply(const ImageView& in, const Item&, Output& out) override {
    const cv::Size from = in.image().size();
    const cv::Size to(width_ > 0 ? width_ : scaled(from.width, height_, from.height),
                      height_ > 0 ? height_ : scaled(from.height, width_, from.width));
    std::vector<PlaneShape> shapes;
    for (std::size_t i = 0; i < in.planes(); ++i) {
      shapes.push_back({to.height, to.width, in.plane(i).type()});
    }
    ImageBuilder result(out, shapes, in.boxes().size());
    for (std::size_t i = 0; i < in.planes(); ++i) {
      cv::Mat place = result.plane(i);
      cv::resize(in.plane(i), place, to, 0, 0, interpolation_);
      result.put(i, place);
    }
    for (std::size_t i = 0; i < in.boxes().size(); ++i) {
      const Box& box = in.boxes()[i];
      result.set_box(i, {scaled(box.x, to.width, from.width, 0), scaled(box.y, to.height, from.height, 0),
                         scaled(box.width, to.width, from.width), scaled(box.height, to.height, from.height)});
    }
    result.emit();
  }

  static int scaled(int length, int to, int from, int least = 1) {
    const std::int64_t result = (static_cast<std::int64_t>(length) * to + from / 2) / from;
    return static_cast<int>(std::clamp<std::int64_t>(result, least, std::numeric_limits<int>::max()));
  }

  int width_;
  int height_;
  int interpolation_;
};

class Gray final : public ImageStage {
 public:
  explicit Gray(const Params& params) : ImageStage("image.gray"), keep_(params.boolean("keep")) {}

  static StageInfo describe() {
    return {.summary = "makes images gray",
            .params = {{.name = "keep",
                        .type = ParamType::boolean,
                        .fallback = false,
                        .text = "keep the original in the item, for image.annotate"}},
            .input = "image",
            .output = "image"};
  }

 private:
  void apply(const ImageView& in, const Item& item, Output& out) override {
    const cv::Mat& image = in.image();
    if (image.channels() == 1 && !keep_) {
      out.forward(item);
      return;
    }
    if (image.channels() == 2 ||
        (image.channels() > 1 && image.depth() != CV_8U && image.depth() != CV_16U && image.depth() != CV_32F)) {
      throw PayloadError("image.gray: got an image of " + to_string(shape_of(image)) +
                         ", expected 1, 3 or 4 channels of 8U, 16U or 32F");
    }
    const PlaneShape gray{image.rows, image.cols, CV_MAKETYPE(image.depth(), 1)};
    if (!keep_) {
      ImageBuilder result(out, gray, in);
      convert(image, result);
      return;
    }
    // Planes that were kept before make room for the original.
    const std::vector<PlaneShape> shapes{gray, shape_of(image)};
    ImageBuilder result(out, shapes, in.boxes().size());
    for (std::size_t i = 0; i < in.boxes().size(); ++i) {
      result.set_box(i, in.boxes()[i]);
    }
    result.put(1, image);
    convert(image, result);
  }

  static void convert(const cv::Mat& image, ImageBuilder& result) {
    if (image.channels() == 1) {
      result.put(0, image);
    } else {
      cv::Mat place = result.plane(0);
      cv::cvtColor(image, place, image.channels() == 3 ? cv::COLOR_BGR2GRAY : cv::COLOR_BGRA2GRAY);
      result.put(0, place);
    }
    result.emit();
  }

  bool keep_;
};

PYSTREAM_STAGE("image.resize", Resize);
PYSTREAM_STAGE("image.gray", Gray);

}  // namespace
}  // namespace pystream::opencv
