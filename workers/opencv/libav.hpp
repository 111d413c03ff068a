#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libswscale/swscale.h>
}

#include <cstddef>
#include <memory>
#include <string>

/// FFmpeg's libraries, as film_reader.cpp and film_writer.cpp use them. OpenCV's own reader and writer of films stand
/// on the same libraries, but they do not tell an unreadable packet from the end, drop what cannot be written without a
/// word, and cut frames of odd sizes.
namespace pystream::opencv {

template <auto Free>
struct AvFree {
  template <class T>
  void operator()(T* object) const {
    Free(&object);
  }
};
struct AvFreeOutput {
  void operator()(AVFormatContext* output) const {
    avio_closep(&output->pb);
    avformat_free_context(output);
  }
};
struct AvFreeScaler {
  void operator()(SwsContext* scaler) const { sws_freeContext(scaler); }
};

using AvPacket = std::unique_ptr<AVPacket, AvFree<av_packet_free>>;
using AvFrame = std::unique_ptr<AVFrame, AvFree<av_frame_free>>;
using AvCodec = std::unique_ptr<AVCodecContext, AvFree<avcodec_free_context>>;
using AvInput = std::unique_ptr<AVFormatContext, AvFree<avformat_close_input>>;
using AvOutput = std::unique_ptr<AVFormatContext, AvFreeOutput>;
using AvScaler = std::unique_ptr<SwsContext, AvFreeScaler>;

/// Throws std::bad_alloc if there is none.
AvPacket new_packet();
AvFrame new_frame();

/// A URL that names this very file, whatever its name looks like.
std::string file_url(const std::string& path);

/// "No space left on device"
std::string libav_text(int error);

/// Messages of level "error" that FFmpeg's libraries log in this thread while this object exists. They are the only
/// trace of much damage: decoders give a picture with the damaged part made up, and no error.
class LibavMessages {
 public:
  LibavMessages();
  ~LibavMessages();
  LibavMessages(const LibavMessages&) = delete;
  LibavMessages& operator=(const LibavMessages&) = delete;

  std::size_t count() const { return count_; }
  /// The first of them; empty if there is none.
  const std::string& first() const { return first_; }
  void add(const std::string& text);

 private:
  LibavMessages* outer_;
  std::size_t count_ = 0;
  std::string first_;
};

/// "<error>", or "<error> (<first message>)".
std::string libav_text(int error, const LibavMessages& messages);

}  // namespace pystream::opencv
