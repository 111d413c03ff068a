#include <opencv2/core.hpp>
#include <pystream/opencv/image.hpp>
#include <pystream/registry.hpp>

/// A plugin outside this project that gives and takes image items.
namespace {

struct PicturesCursor {
  int next = 0;
};

class Pictures final : public pystream::RawSource<PicturesCursor> {
 public:
  static pystream::StageInfo describe() { return {.summary = "five gray pictures", .output = "image"}; }
  bool produce(pystream::Output& out) override {
    if (cursor().next == 5) {
      return false;
    }
    pystream::opencv::ImageBuilder result(out, pystream::opencv::PlaneShape{30, 40, CV_8UC1});
    result.put(0, cv::Mat(30, 40, CV_8UC1, cv::Scalar(10 * cursor().next++)));
    result.emit();
    return true;
  }
};

class Invert final : public pystream::RawStage {
 public:
  static pystream::StageInfo describe() { return {.summary = "inverts", .input = "image", .output = "image"}; }
  void operator()(const pystream::Item& in, pystream::Output& out) override {
    const pystream::opencv::ImageView view(in);
    pystream::opencv::ImageBuilder result(out, pystream::opencv::shape_of(view.image()), view);
    cv::Mat place = result.plane(0);
    cv::bitwise_not(view.image(), place);
    result.put(0, place);
    result.emit();
  }
};

PYSTREAM_STAGE("demo.pictures", Pictures);
PYSTREAM_STAGE("demo.invert", Invert);

}  // namespace
