#pragma once

#include <functional>
#include <stdexcept>
#include <string>

#include "opencv/libav.hpp"

/// Films as other programs write them.
namespace pystream::test {

inline void require_libav(int result, const char* what) {
  if (result < 0) {
    throw std::runtime_error(std::string(what) + ": " + opencv::libav_text(result));
  }
}

struct Remux {
  const char* movflags = nullptr;
  /// Changes the only stream before its header is written.
  std::function<void(AVStream&)> stream = [](AVStream&) {};
  /// Changes a packet, of which the number is given.
  std::function<void(AVPacket&, int)> packet = [](AVPacket&, int) {};
};

/// The same packets in another file.
inline void remux(const std::string& from, const std::string& to, const Remux& how) {
  AVFormatContext* opened = nullptr;
  require_libav(avformat_open_input(&opened, from.c_str(), nullptr, nullptr), "open");
  const opencv::AvInput input(opened);
  require_libav(avformat_find_stream_info(opened, nullptr), "look");
  AVFormatContext* made = nullptr;
  require_libav(avformat_alloc_output_context2(&made, nullptr, nullptr, to.c_str()), "make");
  const opencv::AvOutput output(made);
  AVStream* stream = avformat_new_stream(made, nullptr);
  require_libav(avcodec_parameters_copy(stream->codecpar, opened->streams[0]->codecpar), "copy");
  stream->codecpar->codec_tag = 0;
  stream->time_base = opened->streams[0]->time_base;
  how.stream(*stream);
  require_libav(avio_open(&made->pb, to.c_str(), AVIO_FLAG_WRITE), "create");
  AVDictionary* options = nullptr;
  if (how.movflags != nullptr) {
    av_dict_set(&options, "movflags", how.movflags, 0);
  }
  require_libav(avformat_write_header(made, &options), "begin");
  av_dict_free(&options);
  const opencv::AvPacket packet = opencv::new_packet();
  for (int number = 0; av_read_frame(opened, packet.get()) >= 0; ++number) {
    how.packet(*packet, number);
    av_packet_rescale_ts(packet.get(), opened->streams[0]->time_base, stream->time_base);
    require_libav(av_write_frame(made, packet.get()), "write");
    av_packet_unref(packet.get());
  }
  require_libav(av_write_trailer(made), "end");
}

}  // namespace pystream::test
