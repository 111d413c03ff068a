#pragma once

#include <pystream/registry.hpp>
#include <string>
#include <string_view>

#include "opencv/image.hpp"

namespace pystream::opencv {

/// Runs `action` and turns an OpenCV exception into one that says which stage and what it was working on.
template <class Action>
auto with_opencv(std::string_view who, const std::string& object, Action action) {
  try {
    return action();
  } catch (const cv::Exception& fault) {
    throw Error(std::string(who) + ": OpenCV cannot work on " + object + ": " + fault.err);
  }
}

/// A stage from image to image, or to something else.
class ImageStage : public RawStage {
 public:
  void operator()(const Item& in, Output& out) final {
    const ImageView view(in);
    with_opencv(who_, "an image of " + to_string(shape_of(view.image())), [&] { apply(view, in, out); });
  }

 protected:
  explicit ImageStage(std::string who) : who_(std::move(who)) { use_one_thread(); }
  virtual void apply(const ImageView& in, const Item& item, Output& out) = 0;

  /// Throws PayloadError unless the image is gray with 8 bits.
  void require_gray(const ImageView& in) const {
    if (in.image().type() != CV_8UC1) {
      throw PayloadError(who_ + ": got an image of " + to_string(shape_of(in.image())) +
                         ", expected CV_8UC1; put image.gray in front of it");
    }
  }
  const std::string& who() const { return who_; }

 private:
  std::string who_;
};

}  // namespace pystream::opencv
