#pragma once

#include <cstdint>
#include <string>

#include "opencv/image.hpp"
#include "opencv/libav.hpp"

namespace pystream::opencv {

struct FilmFormat {
  std::string codec;  ///< 4 letters, as OpenCV and AVI use them: "MJPG"
  double fps = 25;
};

/// Encodes frames into a film. Whatever cannot be written throws, and so does everything after it: what follows a gap
/// in a film could not be read.
class FilmWriter {
 public:
  /// For frames of `shape`, CV_8UC1 or CV_8UC3. Begins the file anew. Throws Error.
  FilmWriter(std::string path, const FilmFormat& format, const PlaneShape& shape);
  ~FilmWriter();
  FilmWriter(const FilmWriter&) = delete;
  FilmWriter& operator=(const FilmWriter&) = delete;

  const PlaneShape& shape() const { return shape_; }
  /// What it took is in the file once this returns, but for the frames that the codec keeps back (H.264: some 50).
  void write(const cv::Mat& frame);
  /// Writes what the codec kept back and the index. Without it a film may be unreadable.
  void close();

 private:
  void open_encoder(const FilmFormat& format);
  void convert(const cv::Mat& frame);
  void require_sound() const;
  void encode(const AVFrame* picture);
  void check(int result, const std::string& what, const LibavMessages& messages);

  std::string path_;
  PlaneShape shape_;
  AvOutput output_;
  AvCodec encoder_;
  AvScaler scaler_;
  AvPacket packet_ = new_packet();
  AvFrame source_ = new_frame();
  AvFrame picture_ = new_frame();
  std::int64_t frames_ = 0;
  std::string fault_;  ///< why nothing can be written any more
};

}  // namespace pystream::opencv
