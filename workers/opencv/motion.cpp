#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <opencv2/imgproc.hpp>
#include <tuple>

#include "opencv/image_stage.hpp"

/// From gray images to boxes around what moves.
namespace pystream::opencv {
namespace {

constexpr std::size_t kModelLimit = std::size_t{64} << 20;

/// The running average of every pixel, in 1/256 of a gray level. Whole numbers only, so that a replay after a crash
/// gives the same bytes; the model is the stage's checkpoint.
class Background final : public ImageStage, public CheckpointArea<kModelLimit> {
 public:
  explicit Background(const Params& params)
      : ImageStage("image.background"),
        weight_(static_cast<int>(params.number("rate") * kOne + 0.5)),
        threshold_(static_cast<int>(params.integer("threshold"))) {
    if (weight_ < 1 || weight_ > kOne) {
      throw InvalidParam("image.background: parameter \"rate\" is " + std::to_string(params.number("rate")) +
                         "; expected a number from 0.0001 to 1");
    }
  }

  static StageInfo describe() {
    return {.summary = "tells what differs from the average of the images before: a mask, white where it does",
            .params = {{.name = "rate",
                        .type = ParamType::number,
                        .fallback = 0.02,
                        .text = "share of a new image in the average",
                        .min = 0.0001,
                        .max = 1},
                       {.name = "threshold",
                        .type = ParamType::integer,
                        .fallback = 25,
                        .text = "gray levels beyond which a pixel differs",
                        .min = 0,
                        .max = 255}},
            .input = "image",
            .output = "image"};
  }

 private:
  static constexpr int kOne = 1 << 15;

  struct ModelHeader {
    std::int32_t rows = 0;
    std::int32_t cols = 0;
  };

  void apply(const ImageView& in, const Item&, Output& out) override {
    require_gray(in);
    const cv::Mat& image = in.image();
    ImageBuilder result(out, shape_of(image), in);
    const std::span<std::uint16_t> model = model_for(image);
    const std::size_t pixels = model.size();
    const std::uint8_t* from = image.data;
    std::uint8_t* to = result.plane(0).data;
    for (std::size_t i = 0; i < pixels; ++i) {
      const int average = model[i];
      const int pixel = from[i];
      to[i] = std::abs(pixel - ((average + 128) >> 8)) > threshold_ ? 255 : 0;
      model[i] = static_cast<std::uint16_t>(average + ((((pixel << 8) - average) * weight_ + kOne / 2) >> 15));
    }
    result.emit();
  }

  /// The model for images of this size; a new one, equal to this image, if there was none.
  std::span<std::uint16_t> model_for(const cv::Mat& image) {
    const std::size_t pixels = image.total();
    const std::size_t size = sizeof(ModelHeader) + pixels * sizeof(std::uint16_t);
    if (size > kModelLimit) {
      throw PayloadError(who() + ": an image of " + to_string(shape_of(image)) + " needs a model of " +
                         std::to_string(size) + " bytes, more than the " + std::to_string(kModelLimit) +
                         " it may have; put image.resize in front of it");
    }
    ModelHeader header{};
    if (area().size() == size) {
      std::memcpy(&header, area().data(), sizeof header);
    }
    const bool fits = header.rows == image.rows && header.cols == image.cols;
    if (!fits) {
      area().resize(size);
      header = {image.rows, image.cols};
      std::memcpy(area().data(), &header, sizeof header);
    }
    const std::span model(reinterpret_cast<std::uint16_t*>(area().data() + sizeof(ModelHeader)), pixels);
    if (!fits) {
      std::transform(image.data, image.data + pixels, model.begin(),
                     [](std::uint8_t pixel) { return static_cast<std::uint16_t>(pixel << 8); });
    }
    return model;
  }

  int weight_;
  int threshold_;
};

int operation_from(const std::string& name) {
  if (name == "open") {
    return cv::MORPH_OPEN;
  }
  if (name == "close") {
    return cv::MORPH_CLOSE;
  }
  return name == "erode" ? cv::MORPH_ERODE : cv::MORPH_DILATE;
}

class Morphology final : public ImageStage {
 public:
  explicit Morphology(const Params& params)
      : ImageStage("image.morphology"),
        operation_(operation_from(params.string("op"))),
        repeat_(static_cast<int>(params.integer("repeat"))) {
    const int size = static_cast<int>(params.integer("size"));
    if (size < 1 || size > 99) {
      throw InvalidParam("image.morphology: parameter \"size\" is " + std::to_string(size) + "; expected 1 to 99");
    }
    element_ = cv::getStructuringElement(cv::MORPH_ELLIPSE, {size, size});
  }

  static StageInfo describe() {
    return {.summary = "cleans up masks",
            .params = {{.name = "op",
                        .type = ParamType::string,
                        .fallback = "open",
                        .text = "open removes specks, close fills holes, erode shrinks, dilate grows",
                        .choices = {"open", "close", "erode", "dilate"}},
                       {.name = "size",
                        .type = ParamType::integer,
                        .fallback = 3,
                        .text = "diameter of the round element",
                        .min = 1,
                        .max = 99},
                       {.name = "repeat",
                        .type = ParamType::integer,
                        .fallback = 1,
                        .text = "how many times",
                        .min = 1,
                        .max = 100}},
            .input = "image",
            .output = "image"};
  }

 private:
  void apply(const ImageView& in, const Item&, Output& out) override {
    ImageBuilder result(out, shape_of(in.image()), in);
    cv::Mat place = result.plane(0);
    cv::morphologyEx(in.image(), place, operation_, element_, {-1, -1}, repeat_);
    result.put(0, place);
    result.emit();
  }

  int operation_;
  int repeat_;
  cv::Mat element_;
};

/// The mask has done its work: the kept original takes its place, with the boxes found.
class Contours final : public ImageStage {
 public:
  explicit Contours(const Params& params) : ImageStage("image.contours"), min_area_(params.number("min_area")) {}

  static StageInfo describe() {
    return {.summary = "puts boxes around the white regions of a mask and brings back the image that image.gray kept",
            .params = {{.name = "min_area",
                        .type = ParamType::number,
                        .fallback = 100.0,
                        .text = "smallest region that gets a box, in pixels",
                        .min = 0}},
            .input = "image",
            .output = "image"};
  }

 private:
  void apply(const ImageView& in, const Item&, Output& out) override {
    require_gray(in);
    std::vector<std::vector<cv::Point>> contours;
    cv::findContours(in.image(), contours, cv::RETR_EXTERNAL, cv::CHAIN_APPROX_SIMPLE);
    std::vector<Box> boxes;
    for (const std::vector<cv::Point>& contour : contours) {
      if (cv::contourArea(contour) >= min_area_) {
        const cv::Rect rect = cv::boundingRect(contour);
        boxes.push_back({rect.x, rect.y, rect.width, rect.height});
      }
    }
    std::sort(boxes.begin(), boxes.end(), [](const Box& a, const Box& b) {
      return std::tie(a.y, a.x, a.height, a.width) < std::tie(b.y, b.x, b.height, b.width);
    });
    if (boxes.size() > kMaxBoxes) {
      throw PayloadError(who() + ": an image of " + to_string(shape_of(in.image())) + " has " +
                         std::to_string(boxes.size()) + " regions, and an item holds at most " +
                         std::to_string(kMaxBoxes) +
                         " boxes; raise \"min_area\", or put image.morphology in front of it");
    }

    const std::size_t first = in.planes() > 1 ? 1 : 0;
    std::vector<PlaneShape> shapes;
    for (std::size_t i = first; i < in.planes(); ++i) {
      shapes.push_back(shape_of(in.plane(i)));
    }
    ImageBuilder result(out, shapes, boxes.size());
    for (std::size_t i = first; i < in.planes(); ++i) {
      result.put(i - first, in.plane(i));
    }
    for (std::size_t i = 0; i < boxes.size(); ++i) {
      result.set_box(i, boxes[i]);
    }
    result.emit();
  }

  double min_area_;
};

class Annotate final : public ImageStage {
 public:
  explicit Annotate(const Params& params)
      : ImageStage("image.annotate"),
        label_(params.boolean("label")),
        thickness_(static_cast<int>(params.integer("thickness"))) {}

  static StageInfo describe() {
    return {.summary = "draws an item's boxes, its number and how many boxes there are",
            .params = {{.name = "label", .type = ParamType::boolean, .fallback = true, .text = "write the numbers"},
                       {.name = "thickness",
                        .type = ParamType::integer,
                        .fallback = 2,
                        .text = "of the lines, in pixels",
                        .min = 1,
                        .max = 100}},
            .input = "image",
            .output = "image"};
  }

 private:
  void apply(const ImageView& in, const Item& item, Output& out) override {
    ImageBuilder result(out, shape_of(in.image()));
    result.put(0, in.image());
    cv::Mat image = result.plane(0);
    const cv::Scalar color = image.channels() == 1 ? cv::Scalar(255) : cv::Scalar(0, 255, 0, 255);
    for (const Box& box : in.boxes()) {
      cv::rectangle(image, seen_part(box, image.size()), color, thickness_);
    }
    if (label_) {
      const std::string text =
          std::string("#") + std::to_string(item.sequence()) + "  " + std::to_string(in.boxes().size());
      cv::putText(image, text, {8, 24}, cv::FONT_HERSHEY_SIMPLEX, 0.7, color, 2);
    }
    result.emit();
  }

  /// The same in the image, without the way to an edge that lies far beyond it: OpenCV would walk it pixel by pixel.
  cv::Rect seen_part(const Box& box, const cv::Size& image) const {
    const auto near = [margin = std::int64_t{thickness_} + 1](std::int64_t at, int length) {
      return static_cast<int>(std::clamp(at, -margin, length + margin));
    };
    const cv::Point from(near(box.x, image.width), near(box.y, image.height));
    const cv::Point to(near(std::int64_t{box.x} + box.width, image.width),
                       near(std::int64_t{box.y} + box.height, image.height));
    return {from, to};
  }

  bool label_;
  int thickness_;
};

PYSTREAM_STAGE("image.background", Background);
PYSTREAM_STAGE("image.morphology", Morphology);
PYSTREAM_STAGE("image.contours", Contours);
PYSTREAM_STAGE("image.annotate", Annotate);

}  // namespace
}  // namespace pystream::opencv
