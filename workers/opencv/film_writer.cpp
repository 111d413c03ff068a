#include "opencv/film_writer.hpp"

extern "C" {
#include <libavutil/pixdesc.h>
}

#include <algorithm>
#include <array>
#include <limits>
#include <new>
#include <pystream/error.hpp>
#include <utility>

namespace pystream::opencv {
namespace {

/// As OpenCV chooses it: what most players can show.
AVPixelFormat usual_pixels(AVCodecID codec, std::uint32_t tag) {
  if (codec == AV_CODEC_ID_MJPEG) {
    return AV_PIX_FMT_YUVJ420P;
  }
  const AVPixFmtDescriptor* raw = nullptr;
  while (codec == AV_CODEC_ID_RAWVIDEO && (raw = av_pix_fmt_desc_next(raw)) != nullptr) {
    if (const AVPixelFormat format = av_pix_fmt_desc_get_id(raw); avcodec_pix_fmt_to_codec_tag(format) == tag) {
      return format;
    }
  }
  return AV_PIX_FMT_YUV420P;
}

AVPixelFormat pixels_for(const AVCodec& encoder, std::uint32_t tag, AVPixelFormat source) {
  const AVPixelFormat usual = usual_pixels(encoder.id, tag);
  if (encoder.pix_fmts == nullptr) {
    return usual;
  }
  const AVCodecDescriptor* about = avcodec_descriptor_get(encoder.id);
  const bool only_lossless = about != nullptr && (about->props & AV_CODEC_PROP_LOSSY) == 0;
  for (const AVPixelFormat* format = encoder.pix_fmts; !only_lossless && *format != AV_PIX_FMT_NONE; ++format) {
    if (*format == usual) {
      return usual;
    }
  }
  return avcodec_find_best_pix_fmt_of_list(encoder.pix_fmts, source, 0, nullptr);
}

AVCodecID codec_of(const AVOutputFormat& format, std::uint32_t tag) {
  const std::array<const AVCodecTag*, 3> everything{avformat_get_riff_video_tags(), avformat_get_mov_video_tags(),
                                                    nullptr};
  const AVCodecID own = format.codec_tag != nullptr ? av_codec_get_id(format.codec_tag, tag) : AV_CODEC_ID_NONE;
  return own != AV_CODEC_ID_NONE ? own : av_codec_get_id(everything.data(), tag);
}

/// Pictures that look good enough; the same figures as OpenCV's.
void set_quality(AVCodecContext& encoder, double fps) {
  encoder.gop_size = 12;
  if (encoder.codec_id == AV_CODEC_ID_H264) {
    encoder.gop_size = -1;
    encoder.bit_rate = 0;
    return;  // libx264 has a quality of its own
  }
  const double scale = encoder.codec_id == AV_CODEC_ID_MJPEG ? 4.5 : 1.5;
  encoder.bit_rate = static_cast<std::int64_t>(
      std::min(scale * fps * encoder.width * encoder.height, std::numeric_limits<int>::max() * 0.75));
  encoder.qmin = 3;
}

AVPixelFormat pixels_of(const PlaneShape& shape) {
  return shape.type == CV_8UC1 ? AV_PIX_FMT_GRAY8 : AV_PIX_FMT_BGR24;
}

void allocate(AVFrame& frame, const PlaneShape& shape, AVPixelFormat pixels) {
  frame.format = pixels;
  frame.width = shape.cols;
  frame.height = shape.rows;
  if (av_frame_get_buffer(&frame, 0) < 0) {
    throw std::bad_alloc();
  }
}

}  // namespace

FilmWriter::FilmWriter(std::string path, const FilmFormat& format, const PlaneShape& shape)
    : path_(std::move(path)), shape_(shape) {
  const LibavMessages messages;
  AVFormatContext* output = nullptr;
  avformat_alloc_output_context2(&output, nullptr, nullptr, path_.c_str());
  output_.reset(output);
  if (output == nullptr || (output->oformat->flags & AVFMT_NOFILE) != 0) {
    throw Error("video.write: cannot write " + path_ +
                ": its name does not end like a video file's; expected .avi, .mp4, .mkv, ...");
  }
  output->flags |= AVFMT_FLAG_FLUSH_PACKETS;  // what cannot be written shows at once
  open_encoder(format);
  allocate(*source_, shape_, pixels_of(shape_));
  allocate(*picture_, shape_, encoder_->pix_fmt);
  check(avio_open(&output->pb, file_url(path_).c_str(), AVIO_FLAG_WRITE), "cannot create " + path_, messages);
  check(avformat_write_header(output, nullptr), "cannot begin " + path_, messages);
}

FilmWriter::~FilmWriter() {
  const LibavMessages statistics_are_not_shown;
  encoder_.reset();
}

void FilmWriter::open_encoder(const FilmFormat& format) {
  const LibavMessages messages;
  const std::uint32_t tag = MKTAG(format.codec[0], format.codec[1], format.codec[2], format.codec[3]);
  const AVOutputFormat& file_type = *output_->oformat;
  const AVCodecID id = codec_of(file_type, tag);
  const AVCodec* codec = id != AV_CODEC_ID_NONE ? avcodec_find_encoder(id) : nullptr;
  if (codec == nullptr) {
    throw Error("video.write: cannot write " + path_ + ": FFmpeg has no encoder for codec \"" + format.codec +
                "\"; expected MJPG, mp4v, avc1, ...");
  }
  encoder_.reset(avcodec_alloc_context3(codec));
  AVStream* stream = avformat_new_stream(output_.get(), nullptr);
  if (!encoder_ || stream == nullptr) {
    throw std::bad_alloc();
  }
  const bool known_tag = file_type.codec_tag != nullptr && av_codec_get_id(file_type.codec_tag, tag) == id;
  encoder_->codec_tag = known_tag ? tag : 0;  // 0: the one that this type of file has for the codec
  encoder_->width = shape_.cols;
  encoder_->height = shape_.rows;
  encoder_->pix_fmt = pixels_for(*codec, tag, pixels_of(shape_));
  encoder_->framerate = av_d2q(format.fps, 60000);
  encoder_->time_base = av_inv_q(encoder_->framerate);
  encoder_->thread_count = 1;
  set_quality(*encoder_, format.fps);
  if ((file_type.flags & AVFMT_GLOBALHEADER) != 0) {
    encoder_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  }
  check(avcodec_open2(encoder_.get(), codec, nullptr),
        "cannot encode frames of " + to_string(shape_) + " with codec " + format.codec, messages);
  check(avcodec_parameters_from_context(stream->codecpar, encoder_.get()), "cannot begin " + path_, messages);
  stream->time_base = encoder_->time_base;
  stream->avg_frame_rate = encoder_->framerate;
}

void FilmWriter::write(const cv::Mat& frame) {
  require_sound();
  convert(frame);
  picture_->pts = frames_++;
  encode(picture_.get());
}

void FilmWriter::close() {
  require_sound();
  const LibavMessages messages;
  encode(nullptr);
  const std::string what = "cannot complete " + path_;
  check(av_write_trailer(output_.get()), what, messages);
  avio_flush(output_->pb);
  check(output_->pb->error, what, messages);
  check(avio_closep(&output_->pb), what, messages);
}

/// From rows of any alignment: FFmpeg's fast paths may read beyond an item's end, so the frame is copied first.
void FilmWriter::convert(const cv::Mat& frame) {
  const LibavMessages messages;
  if (av_frame_make_writable(picture_.get()) < 0) {
    throw std::bad_alloc();
  }
  frame.copyTo(
      cv::Mat(frame.rows, frame.cols, frame.type(), source_->data[0], static_cast<std::size_t>(source_->linesize[0])));
  scaler_.reset(sws_getCachedContext(scaler_.release(), shape_.cols, shape_.rows, pixels_of(shape_), shape_.cols,
                                     shape_.rows, encoder_->pix_fmt, SWS_BICUBIC, nullptr, nullptr, nullptr));
  if (!scaler_) {
    check(AVERROR(ENOSYS), "cannot convert frames for " + path_, messages);
  }
  check(sws_scale(scaler_.get(), source_->data, source_->linesize, 0, shape_.rows, picture_->data, picture_->linesize),
        "cannot convert a frame for " + path_, messages);
}

/// nullptr: what the encoder has kept back.
void FilmWriter::encode(const AVFrame* picture) {
  const LibavMessages messages;
  check(avcodec_send_frame(encoder_.get(), picture), "cannot encode a frame for " + path_, messages);
  while (true) {
    const int result = avcodec_receive_packet(encoder_.get(), packet_.get());
    if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) {
      return;
    }
    check(result, "cannot encode a frame for " + path_, messages);
    AVStream& stream = *output_->streams[0];
    packet_->stream_index = 0;
    packet_->duration = 1;
    av_packet_rescale_ts(packet_.get(), encoder_->time_base, stream.time_base);
    const int written = av_write_frame(output_.get(), packet_.get());
    av_packet_unref(packet_.get());
    check(written < 0 ? written : output_->pb->error, "cannot write to " + path_, messages);
  }
}

void FilmWriter::require_sound() const {
  if (!fault_.empty()) {
    throw Error(fault_ + "; nothing can be added to this film");
  }
}

void FilmWriter::check(int result, const std::string& what, const LibavMessages& messages) {
  if (result >= 0) {
    return;
  }
  fault_ = "video.write: " + what + ": " + libav_text(result, messages);
  throw Error(fault_);
}

}  // namespace pystream::opencv
