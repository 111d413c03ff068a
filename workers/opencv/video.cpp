#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include "opencv/film_reader.hpp"
#include "opencv/film_writer.hpp"
#include "opencv/image_stage.hpp"
#include "opencv/late_stage.hpp"
#include "opencv/video_cursors.hpp"

/// Video files.
namespace pystream::opencv {
namespace {

/// A film with a thousand faults does not fill the log.
constexpr int kMaxFaultsShown = 5;

/// Takes damaged films to their end: every frame that can be decoded comes out. Then an exception tells what could not
/// be read, and `on_error` decides whether that fails the run.
class VideoRead final : public RawSource<VideoReadCursor> {
 public:
  explicit VideoRead(const Params& params)
      : name_(params.string("path")), limit_(static_cast<std::uint64_t>(params.integer("frames"))) {
    use_one_thread();
    std::string path = name_;
    if (path == "-") {  // opened anew: read from its beginning, like any other file
      path = "/proc/self/fd/0";
      name_ = "standard input";
    }
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(path, ignored)) {
      throw Error(
          "video.read: cannot open " + name_ + ": " +
          (std::filesystem::exists(path, ignored)
               ? "it is no regular file, and a film is not read from front to back only; write it to a file first"
               : "there is no such file") +
          "; \"path\" must be a video file");
    }
    film_.emplace(path, name_);
  }

  bool produce(Output& out) override {
    if (cursor().ended != 0) {
      return false;
    }
    if ((limit_ != 0 && cursor().next >= limit_) || !film_->next()) {
      show_fault();
      cursor().ended = 1;
      if (film_->damage().any()) {
        throw Error(damage_text());
      }
      return false;
    }
    show_fault();
    ++cursor().next;  // also if the frame is too large for an item: it is not tried again
    with_opencv("video.read", name_, [&] { emit_frame(out); });
    return true;
  }

  /// A seek by frame number is only roughly right in most formats: decode up to the place instead.
  void resume() override {
    for (std::uint64_t frame = 0; frame < cursor().next; ++frame) {
      if (!film_->next()) {
        throw Error("video.read: " + name_ + " ends after " + std::to_string(frame) + " frames, but " +
                    std::to_string(cursor().next) + " were read before the restart; it must not change during a run");
      }
      note_fault();
    }
  }

  /// A film that is read to its end tells its damage there, in produce().
  void cleanup() override {
    if (cursor().ended == 0 && film_->damage().any()) {
      report_loss(damage_text() + "; the run was ended before the film");
    }
  }

 private:
  void emit_frame(Output& out) {
    ImageBuilder result(out, film_->shape());
    cv::Mat place = result.plane(0);
    film_->copy_to(place);
    result.put(0, place);
    result.emit();
  }

  std::string note_fault() {
    std::string fault = film_->take_fault();
    if (!fault.empty() && faults_++ == 0) {
      first_fault_ = fault;
    }
    return fault;
  }

  void show_fault() {
    const std::string fault = note_fault();
    if (!fault.empty() && faults_ <= kMaxFaultsShown) {
      std::fprintf(stderr, "video.read: %s: %s%s\n", name_.c_str(), fault.c_str(),
                   faults_ == kMaxFaultsShown ? "; further faults are counted only" : "");
    }
  }

  std::string damage_text() {
    return "video.read: " + name_ + " is damaged: " + to_string(film_->damage()) + "; first: " + first_fault_ +
           "; all " + std::to_string(cursor().next) + " frames that could be decoded were passed on";
  }

  std::string name_;  ///< of the film, in messages
  std::uint64_t limit_;
  std::optional<FilmReader> film_;
  int faults_ = 0;
  std::string first_fault_;
};

/// A video file is complete only once it is closed, so a restarted worker cannot go on in it: it begins another
/// file and leaves the first as it is. That file has a number that no file had when the run began: what stands beside
/// the film may be an input, or the user's.
class VideoWrite final : public RawSink<VideoWriteCursor> {
 public:
  explicit VideoWrite(const Params& params)
      : path_(params.string("path")), format_{.codec = params.string("codec"), .fps = params.number("fps")} {
    use_one_thread();
    if (format_.codec.size() != 4) {
      throw InvalidParam("video.write: parameter \"codec\" is \"" + format_.codec +
                         "\"; expected the 4 letters of a codec, such as MJPG");
    }
    if (!(format_.fps > 0)) {
      throw InvalidParam("video.write: parameter \"fps\" must be more than 0");
    }
    const std::filesystem::path directory = path_.has_parent_path() ? path_.parent_path() : ".";
    if (!std::filesystem::is_directory(directory)) {
      throw Error("video.write: there is no directory " + directory.string() + " for " + path_.string());
    }
    std::error_code ignored;
    const std::filesystem::file_status there = std::filesystem::status(path_, ignored);
    if (std::filesystem::is_fifo(there) || std::filesystem::is_socket(there)) {
      throw Error("video.write: " + path_.string() + " is no regular file; a film is written by position");
    }
  }

  void start() override { cursor().free_part = first_free_part(); }

  void consume(const Item& in) override {
    const ImageView view(in);
    const cv::Mat& image = view.image();
    const PlaneShape shape = shape_of(image);
    if (image.type() != CV_8UC1 && image.type() != CV_8UC3) {
      throw PayloadError("video.write: got an image of " + to_string(shape) + ", expected CV_8UC1 or CV_8UC3");
    }
    try {
      if (!film_) {
        film_ = std::make_unique<FilmWriter>(part_path(), format_, shape);
      }
      require_shape(shape);
      film_->write(image);
    } catch (const PayloadError&) {
      throw;
    } catch (const Error& fault) {
      fault_ = fault.what();
      throw;
    }
    ++cursor().frames;
  }

  /// A film that cannot be begun or has a gap takes no further frame: that fails the run, and not only an item.
  void flush() override {
    if (!fault_.empty()) {
      throw Error(fault_);
    }
  }

  void resume() override {
    if (cursor().frames == 0) {
      return;
    }
    const std::string before = part_path();
    const std::uint64_t readable = count_frames(before);
    const std::uint64_t lost = cursor().frames - std::min(readable, cursor().frames);
    cursor().part = std::max(cursor().part + 1, cursor().free_part);
    cursor().frames = 0;
    std::fprintf(stderr, "video.write: restarted; going on in %s\n", part_path().c_str());
    if (lost > 0) {
      report_loss("video.write: " + std::to_string(lost) + " of the frames written to " + before +
                  " before the restart cannot be read from it; a codec that keeps no frames back (MJPG in an AVI file) "
                  "loses none");
    }
  }

  void cleanup() override {
    if (film_) {
      film_->close();
      film_.reset();
    }
  }

 private:
  void require_shape(const PlaneShape& shape) const {
    if (shape != film_->shape()) {
      throw PayloadError("video.write: got an image of " + to_string(shape) + " after " + to_string(film_->shape()) +
                         "; all frames of a video must be alike: put image.resize in front of it");
    }
  }

  std::string part_path() { return path_of(cursor().part); }

  std::string path_of(std::uint64_t part) const {
    if (part == 0) {
      return path_.string();
    }
    std::filesystem::path path = path_;
    path.replace_extension(std::string(".") + std::to_string(part + 1) + path_.extension().string());
    return path.string();
  }

  /// Behind all parts that are there, of whatever run.
  std::uint64_t first_free_part() const {
    const std::string stem = path_.stem().string() + '.';
    const std::string extension = path_.extension().string();
    const std::filesystem::path folder = path_.has_parent_path() ? path_.parent_path() : ".";
    std::uint64_t free = 1;
    std::error_code error;
    std::filesystem::directory_iterator entries(folder, error);
    for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
      const std::string name = entries->path().filename().string();
      if (name.size() <= stem.size() + extension.size() || !name.starts_with(stem) || !name.ends_with(extension)) {
        continue;
      }
      const char* begin = name.data() + stem.size();
      const char* end = name.data() + name.size() - extension.size();
      std::uint64_t number = 0;
      if (const auto [to, error] = std::from_chars(begin, end, number); error == std::errc() && to == end) {
        free = std::max(free, number);  // the part of this number is `number - 1`
      }
    }
    if (error) {
      throw Error("video.write: cannot list " + folder.string() + ": " + error.message() +
                  "; a restart must know which files are there");
    }
    return free;
  }

  std::filesystem::path path_;
  FilmFormat format_;
  std::unique_ptr<FilmWriter> film_;
  std::string fault_;
};

std::unique_ptr<StageAdapter> make(const std::string& type, const Params& params) {
  if (type == "video.read") {
    return detail::adapt(std::make_unique<VideoRead>(params));
  }
  return detail::adapt(std::make_unique<VideoWrite>(params));
}

}  // namespace
}  // namespace pystream::opencv

extern "C" {
extern const pystream::opencv::MakeLateStage pystream_opencv_make;
const pystream::opencv::MakeLateStage pystream_opencv_make = &pystream::opencv::make;
}
