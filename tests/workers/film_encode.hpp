#pragma once

extern "C" {
#include <libavutil/pixdesc.h>
}

#include <string>

#include "workers/film_remux.hpp"

/// Films of kinds that video.write does not make.
namespace pystream::test {

struct EncodedFilm {
  const char* name;             ///< of the file; its end names the kind of file
  const char* encoder;          ///< as FFmpeg names it
  const char* options = "";     ///< of the file, such as "movflags=faststart"
  const char* coding = "g=12";  ///< options of the encoder
  bool can_go_back = true;      ///< false: written as into a pipe, so that sizes at the beginning stay open
};

inline constexpr int kEncodedFrames = 40;

inline AVDictionary* parsed(const char* options) {
  AVDictionary* made = nullptr;
  require_libav(av_dict_parse_string(&made, options, "=", ":", 0), options);
  return made;
}

/// Moves a pattern through the planes of a picture.
inline void draw(AVFrame& picture, int number) {
  require_libav(av_frame_make_writable(&picture), "draw");
  const AVPixFmtDescriptor& pixels = *av_pix_fmt_desc_get(static_cast<AVPixelFormat>(picture.format));
  for (int plane = 0; plane < av_pix_fmt_count_planes(static_cast<AVPixelFormat>(picture.format)); ++plane) {
    const int rows = plane == 0 ? picture.height : AV_CEIL_RSHIFT(picture.height, pixels.log2_chroma_h);
    for (int row = 0; row < rows; ++row) {
      for (int at = 0; at < picture.linesize[plane]; ++at) {
        picture.data[plane][row * picture.linesize[plane] + at] =
            static_cast<std::uint8_t>((at * row) / 7 + 5 * number);
      }
    }
  }
}

/// False if this FFmpeg has no such encoder.
inline bool encode_film(const std::string& path, const EncodedFilm& film) {
  const AVCodec* codec = avcodec_find_encoder_by_name(film.encoder);
  if (codec == nullptr) {
    return false;
  }
  AVFormatContext* made = nullptr;
  require_libav(avformat_alloc_output_context2(&made, nullptr, nullptr, path.c_str()), "make");
  const opencv::AvOutput output(made);
  AVStream* stream = avformat_new_stream(made, nullptr);
  const opencv::AvCodec encoder(avcodec_alloc_context3(codec));
  const bool dv = codec->id == AV_CODEC_ID_DVVIDEO;
  encoder->width = dv ? 720 : 160;
  encoder->height = dv ? 576 : 120;
  encoder->time_base = stream->time_base = {1, 25};
  encoder->framerate = stream->avg_frame_rate = {25, 1};
  encoder->pix_fmt = codec->pix_fmts != nullptr ? codec->pix_fmts[0] : AV_PIX_FMT_YUV420P;
  encoder->thread_count = 1;
  if ((made->oformat->flags & AVFMT_GLOBALHEADER) != 0) {
    encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  }
  AVDictionary* coding = parsed(film.coding);
  require_libav(avcodec_open2(encoder.get(), codec, &coding), film.encoder);
  av_dict_free(&coding);
  require_libav(avcodec_parameters_from_context(stream->codecpar, encoder.get()), "describe");
  require_libav(avio_open(&made->pb, path.c_str(), AVIO_FLAG_WRITE), "create");
  if (!film.can_go_back) {
    made->pb->seekable = 0;
  }
  AVDictionary* options = parsed(film.options);
  require_libav(avformat_write_header(made, &options), film.name);
  av_dict_free(&options);
  const opencv::AvFrame picture = opencv::new_frame();
  picture->format = encoder->pix_fmt;
  picture->width = encoder->width;
  picture->height = encoder->height;
  require_libav(av_frame_get_buffer(picture.get(), 0), "picture");
  const opencv::AvPacket packet = opencv::new_packet();
  for (int number = 0; number <= kEncodedFrames; ++number) {
    if (number < kEncodedFrames) {
      draw(*picture, number);
      picture->pts = number;
    }
    require_libav(avcodec_send_frame(encoder.get(), number < kEncodedFrames ? picture.get() : nullptr), "encode");
    while (avcodec_receive_packet(encoder.get(), packet.get()) == 0) {
      packet->duration = 1;
      av_packet_rescale_ts(packet.get(), encoder->time_base, stream->time_base);
      require_libav(av_interleaved_write_frame(made, packet.get()), "write");
    }
  }
  require_libav(av_write_trailer(made), "end");
  return true;
}

}  // namespace pystream::test
