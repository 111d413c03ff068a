#include <limits>
#include <opencv2/imgcodecs.hpp>

#include "opencv/image_damage.hpp"
#include "opencv/image_stage.hpp"
#include "opencv/late_stage.hpp"

/// Images from and to the bytes of image files.
namespace pystream::opencv {
namespace {

class Decode final : public RawStage {
 public:
  explicit Decode(const Params& params)
      : flags_(params.string("color") == "gray" ? cv::IMREAD_GRAYSCALE : cv::IMREAD_COLOR),
        accepts_damage_(params.string("damaged") == "accept") {
    use_one_thread();
  }

  void operator()(const Item& in, Output& out) override {
    const std::span<const std::byte> bytes = in.bytes();
    const std::string object = "an item of " + std::to_string(bytes.size()) + " bytes";
    if (!accepts_damage_) {
      refuse_if_damaged(object, damage_of(bytes));
    }
    cv::Mat image;
    const TiffMessages messages;
    if (!bytes.empty() && bytes.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max())) {
      with_opencv("image.decode", object, [&] {
        const cv::Mat encoded(1, static_cast<int>(bytes.size()), CV_8UC1, const_cast<std::byte*>(bytes.data()));
        image = cv::imdecode(encoded, flags_);
      });
    }
    if (image.empty()) {
      throw PayloadError("image.decode: " + object +
                         " is no image that OpenCV can decode; expected the content of a JPEG, PNG, ... file");
    }
    if (!accepts_damage_) {
      refuse_if_damaged(object, messages.first());
    }
    ImageBuilder result(out, shape_of(image));
    result.put(0, image);
    result.emit();
  }

 private:
  static void refuse_if_damaged(const std::string& object, const std::string& damage) {
    if (!damage.empty()) {
      throw PayloadError("image.decode: " + object + " is a damaged image: " + damage +
                         "; \"damaged\": \"accept\" takes what can be decoded of it");
    }
  }

  int flags_;
  bool accepts_damage_;
};

class Encode final : public ImageStage {
 public:
  explicit Encode(const Params& params) : ImageStage("image.encode"), extension_("." + params.string("format")) {
    if (extension_ == ".jpg") {
      options_ = {cv::IMWRITE_JPEG_QUALITY, static_cast<int>(params.integer("quality"))};
    }
  }

 private:
  void apply(const ImageView& in, const Item&, Output& out) override {
    const cv::Mat& image = in.image();
    // OpenCV would cut 16 bits to 8 and leave out transparency, without a word.
    const bool fits =
        (image.depth() == CV_8U || (image.depth() == CV_16U && extension_ == ".png")) &&
        (image.channels() == 1 || image.channels() == 3 || (image.channels() == 4 && extension_ == ".png"));
    if (!fits || !cv::imencode(extension_, image, encoded_, options_)) {
      throw PayloadError("image.encode: an image of " + to_string(shape_of(image)) + " cannot be a " + extension_ +
                         " file; expected CV_8UC1 or CV_8UC3" +
                         (extension_ == ".png" ? ", or 4 channels, or 16U" : ""));
    }
    out.emit_bytes(std::as_bytes(std::span(encoded_)));
  }

  std::string extension_;
  std::vector<int> options_;
  std::vector<unsigned char> encoded_;
};

std::unique_ptr<StageAdapter> make(const std::string& type, const Params& params) {
  if (type == "image.decode") {
    return detail::adapt(std::make_unique<Decode>(params));
  }
  return detail::adapt(std::make_unique<Encode>(params));
}

}  // namespace
}  // namespace pystream::opencv

extern "C" {
extern const pystream::opencv::MakeLateStage pystream_opencv_make;
const pystream::opencv::MakeLateStage pystream_opencv_make = &pystream::opencv::make;
}
