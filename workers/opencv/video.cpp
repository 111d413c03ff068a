#include <cstdio>
#include <filesystem>
#include <opencv2/videoio.hpp>
#include <opencv2/videoio/registry.hpp>

#include "opencv/image_stage.hpp"
#include "opencv/late_stage.hpp"
#include "opencv/video_cursors.hpp"

/// Video files.
namespace pystream::opencv {
namespace {

class VideoRead final : public RawSource<VideoReadCursor> {
 public:
  explicit VideoRead(const Params& params)
      : path_(params.string("path")), limit_(static_cast<std::uint64_t>(params.integer("frames"))) {
    use_one_thread();
    std::error_code ignored;
    const bool exists = std::filesystem::is_regular_file(path_, ignored);
    if (!exists || !with_opencv("video.read", path_, [&] { return open_capture(); })) {
      throw Error("video.read: cannot open " + path_ + ": " +
                  (exists ? "OpenCV does not know this kind of video" : "there is no such file") +
                  "; \"path\" must be a video file");
    }
  }

  bool produce(Output& out) override {
    if (ended_ || (limit_ != 0 && cursor().next >= limit_)) {
      return false;
    }
    return with_opencv("video.read", path_, [&] { return produce_frame(out); });
  }

  /// A seek by frame number is only roughly right in most formats: decode up to the place instead.
  void resume() override {
    for (std::uint64_t frame = 0; frame < cursor().next; ++frame) {
      if (!with_opencv("video.read", path_, [&] { return capture_.grab(); })) {
        throw Error("video.read: " + path_ + " ends after " + std::to_string(frame) + " frames, but " +
                    std::to_string(cursor().next) + " were read before the restart; it must not change during a run");
      }
    }
  }

 private:
  /// Not GStreamer if it can be helped: it starts threads of its own and complains of every file it cannot open.
  bool open_capture() {
    if (!cv::videoio_registry::hasBackend(cv::CAP_FFMPEG)) {
      return capture_.open(path_);
    }
    return capture_.open(path_, cv::CAP_FFMPEG) || capture_.open(path_, cv::CAP_OPENCV_MJPEG);
  }

  bool produce_frame(Output& out) {
    if (!capture_.grab()) {
      ended_ = true;
      report_missing_frames();
      return false;
    }
    if (shape_.rows == 0) {
      cv::Mat first;
      capture_.retrieve(first);
      shape_ = shape_of(first);
    }
    // OpenCV copies the decoded frame into a matrix that fits: straight into the item.
    ImageBuilder result(out, shape_);
    cv::Mat place = result.plane(0);
    if (!capture_.retrieve(place)) {
      throw Error("video.read: cannot decode frame " + std::to_string(cursor().next) + " of " + path_);
    }
    if (place.data != result.plane(0).data) {
      shape_ = shape_of(place);
      ImageBuilder other(out, shape_);
      other.put(0, place);
      other.emit();
    } else {
      result.emit();
    }
    ++cursor().next;
    return true;
  }

  void report_missing_frames() {
    const double announced = capture_.get(cv::CAP_PROP_FRAME_COUNT);
    if (announced > static_cast<double>(cursor().next) + 0.5) {
      std::fprintf(stderr, "video.read: %s announces %.0f frames, but only %llu could be read; it may be cut off\n",
                   path_.c_str(), announced, static_cast<unsigned long long>(cursor().next));
    }
  }

  std::string path_;
  std::uint64_t limit_;
  cv::VideoCapture capture_;
  PlaneShape shape_{};
  bool ended_ = false;
};

/// A video file is complete only once it is closed, so a restarted worker cannot go on in it: it begins another
/// file and leaves the first as it is.
class VideoWrite final : public RawSink<VideoWriteCursor> {
 public:
  explicit VideoWrite(const Params& params)
      : path_(params.string("path")), codec_(params.string("codec")), fps_(params.number("fps")) {
    use_one_thread();
    if (codec_.size() != 4) {
      throw InvalidParam("video.write: parameter \"codec\" is \"" + codec_ +
                         "\"; expected the 4 letters of a codec, such as MJPG");
    }
    if (!(fps_ > 0)) {
      throw InvalidParam("video.write: parameter \"fps\" must be more than 0");
    }
    const std::filesystem::path directory = path_.has_parent_path() ? path_.parent_path() : ".";
    if (!std::filesystem::is_directory(directory)) {
      throw Error("video.write: there is no directory " + directory.string() + " for " + path_.string());
    }
  }

  void consume(const Item& in) override {
    const ImageView view(in);
    const cv::Mat& image = view.image();
    const PlaneShape shape = shape_of(image);
    if (image.type() != CV_8UC1 && image.type() != CV_8UC3) {
      throw PayloadError("video.write: got an image of " + to_string(shape) + ", expected CV_8UC1 or CV_8UC3");
    }
    with_opencv("video.write", path_.string(), [&] {
      if (!writer_.isOpened()) {
        open(shape);
      }
      if (shape.rows != shape_.rows || shape.cols != shape_.cols || shape.type != shape_.type) {
        throw PayloadError("video.write: got an image of " + to_string(shape) + " after " + to_string(shape_) +
                           "; all frames of a video must be alike: put image.resize in front of it");
      }
      writer_.write(image);
      cursor().used = 1;
    });
  }

  void resume() override {
    if (cursor().used != 0) {
      cursor() = {.part = cursor().part + 1, .used = 0};
      std::fprintf(stderr, "video.write: restarted; going on in %s\n", part_path().c_str());
    }
  }

  void cleanup() override { writer_.release(); }

 private:
  std::string part_path() {
    if (cursor().part == 0) {
      return path_.string();
    }
    std::filesystem::path path = path_;
    path.replace_extension(std::string(".") + std::to_string(cursor().part + 1) + path_.extension().string());
    return path.string();
  }

  void open(const PlaneShape& shape) {
    const int fourcc = cv::VideoWriter::fourcc(codec_[0], codec_[1], codec_[2], codec_[3]);
    const std::string path = part_path();
    if (!writer_.open(path, fourcc, fps_, {shape.cols, shape.rows}, shape.type == CV_8UC3)) {
      throw Error(
          "video.write: cannot write " + path + " with codec " + codec_ +
          "; the directory must be writable and OpenCV must know codec and file type (MJPG and .avi always work)");
    }
    shape_ = shape;
  }

  std::filesystem::path path_;
  std::string codec_;
  double fps_;
  cv::VideoWriter writer_;
  PlaneShape shape_{};
};

std::unique_ptr<Hosted> make(const std::string& type, const Params& params) {
  if (type == "video.read") {
    return detail::host(std::make_unique<VideoRead>(params));
  }
  return detail::host(std::make_unique<VideoWrite>(params));
}

}  // namespace
}  // namespace pystream::opencv

extern "C" {
extern const pystream::opencv::MakeLateStage pystream_opencv_make;
const pystream::opencv::MakeLateStage pystream_opencv_make = &pystream::opencv::make;
}
