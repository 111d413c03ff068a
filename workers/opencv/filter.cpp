#include <opencv2/imgproc.hpp>

#include "opencv/image_stage.hpp"

/// Convolutions.
namespace pystream::opencv {
namespace {

cv::Mat box_kernel(int size) {
  return cv::Mat::ones(size, size, CV_32F) / static_cast<float>(size * size);
}

/// The sum is 1: the centre makes up for the neighbours that are subtracted.
cv::Mat sharpen_kernel(int size) {
  cv::Mat kernel = cv::Mat::ones(size, size, CV_32F) * -1;
  kernel.at<float>(size / 2, size / 2) = static_cast<float>(size * size);
  return kernel;
}

cv::Mat gaussian_kernel(int size) {
  const cv::Mat line = cv::getGaussianKernel(size, -1, CV_32F);
  return line * line.t();
}

cv::Mat edge_kernel(int size) {
  cv::Mat kernel = sharpen_kernel(size);
  kernel.at<float>(size / 2, size / 2) -= 1;
  return kernel;
}

cv::Mat kernel_from(const std::string& who, const std::string& name, int size) {
  if (size < 1 || size % 2 == 0 || size > 99) {
    throw InvalidParam(who + ": parameter \"size\" is " + std::to_string(size) + "; expected an odd number up to 99");
  }
  if (name == "box") {
    return box_kernel(size);
  }
  if (name == "sharpen") {
    return sharpen_kernel(size);
  }
  return name == "edge" ? edge_kernel(size) : gaussian_kernel(size);
}

/// A list of size × size numbers, row after row.
cv::Mat custom_kernel(const std::string& who, const ParamList& values) {
  int size = 1;
  while (static_cast<std::size_t>(size * size) < values.size() && size < 99) {
    ++size;
  }
  if (static_cast<std::size_t>(size * size) != values.size() || size % 2 == 0) {
    throw InvalidParam(who + ": parameter \"values\" has " + std::to_string(values.size()) +
                       " numbers; expected 1, 9, 25, 49, ... (a square of odd size, row after row)");
  }
  cv::Mat kernel(size, size, CV_32F);
  for (int i = 0; i < size * size; ++i) {
    const ParamValue& value = values[static_cast<std::size_t>(i)];
    const auto* real = std::get_if<double>(&value);
    const auto* integer = std::get_if<std::int64_t>(&value);
    if (real == nullptr && integer == nullptr) {
      throw InvalidParam(who + ": parameter \"values\" must hold numbers only");
    }
    kernel.at<float>(i / size, i % size) = static_cast<float>(real != nullptr ? *real : static_cast<double>(*integer));
  }
  return kernel;
}

ParamSpec repeat_param() {
  return {.name = "repeat",
          .type = ParamType::integer,
          .fallback = 1,
          .text = "how many times, one after another",
          .min = 1,
          .max = 10000};
}

ParamSpec size_param() {
  return {.name = "size",
          .type = ParamType::integer,
          .fallback = 3,
          .text = "side of the kernel, odd",
          .min = 1,
          .max = 99};
}

class Convolution : public ImageStage {
 protected:
  Convolution(const std::string& who, cv::Mat kernel, std::int64_t repeat)
      : ImageStage(who), kernel_(std::move(kernel)), repeat_(repeat) {}

 private:
  void apply(const ImageView& in, const Item&, Output& out) override {
    ImageBuilder result(out, shape_of(in.image()), in);
    // The last convolution must end in the item: two buffers in turn.
    cv::Mat place = result.plane(0);
    cv::Mat from = in.image();
    for (std::int64_t left = repeat_; left > 0; --left) {
      cv::Mat& to = left % 2 == 1 ? place : spare_;
      cv::filter2D(from, to, -1, kernel_);
      from = to;
    }
    result.put(0, place);
    result.emit();
  }

  cv::Mat kernel_;
  std::int64_t repeat_;
  cv::Mat spare_;
};

class Convolve final : public Convolution {
 public:
  explicit Convolve(const Params& params)
      : Convolution("image.convolve",
                    kernel_from("image.convolve", params.string("kernel"), static_cast<int>(params.integer("size"))),
                    params.integer("repeat")) {}

  static StageInfo describe() {
    return {.summary = "convolves images with a kernel that has a name",
            .params = {{.name = "kernel",
                        .type = ParamType::string,
                        .fallback = "sharpen",
                        .text = "which",
                        .choices = {"sharpen", "box", "gaussian", "edge"}},
                       size_param(),
                       repeat_param()},
            .input = "image",
            .output = "image"};
  }
};

class Filter2d final : public Convolution {
 public:
  explicit Filter2d(const Params& params)
      : Convolution("image.filter2d",
                    params.list("values").empty()
                        ? kernel_from("image.filter2d", "box", static_cast<int>(params.integer("size")))
                        : custom_kernel("image.filter2d", params.list("values")),
                    params.integer("repeat")) {}

  static StageInfo describe() {
    return {.summary = "convolves images with a kernel of one's own",
            .params = {{.name = "values",
                        .type = ParamType::list,
                        .fallback = ParamList{},
                        .text = "the kernel, row after row, a square of odd size; empty: a box of the given size"},
                       size_param(),
                       repeat_param()},
            .input = "image",
            .output = "image"};
  }
};

PYSTREAM_STAGE("image.convolve", Convolve);
PYSTREAM_STAGE("image.filter2d", Filter2d);

}  // namespace
}  // namespace pystream::opencv
