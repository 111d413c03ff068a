#include "opencv/film_reader.hpp"

extern "C" {
#include <libavutil/display.h>
}

#include <cmath>
#include <new>
#include <opencv2/core.hpp>
#include <pystream/error.hpp>
#include <utility>

#include "opencv/film_structure.hpp"

namespace pystream::opencv {
namespace {

/// Whoever fails so often in a row will not go on.
constexpr int kMaxFailures = 64;

std::string in_brackets(const std::string& text) {
  return text.empty() ? "" : " (" + text + ")";
}

std::string counted(std::uint64_t count, const std::string& what, const std::string& plural, const std::string& rest) {
  return count == 0 ? "" : std::to_string(count) + " " + (count == 1 ? what : plural) + " " + rest;
}

/// Quarter turns, clockwise, that the film wants to be shown with (cameras of telephones).
int quarter_turns_of(const AVStream& stream) {
  const std::uint8_t* matrix = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, nullptr);
  if (matrix == nullptr) {
    return 0;
  }
  const double turned = av_display_rotation_get(reinterpret_cast<const std::int32_t*>(matrix));
  return std::isnan(turned) ? 0 : ((static_cast<int>(std::lround(-turned / 90)) % 4) + 4) % 4;
}

}  // namespace

std::string to_string(const FilmDamage& damage) {
  std::string text;
  for (const std::string& part :
       {counted(damage.unreadable_packets, "packet", "packets", "could not be decoded"),
        counted(damage.damaged_frames, "frame", "frames",
                damage.damaged_frames == 1 ? "was decoded with errors" : "were decoded with errors"),
        counted(damage.breaks, "place", "places", "of the file could not be read"),
        std::string(damage.cut_off ? "its end is missing" : ""),
        counted(damage.missing_frames, "frame", "frames",
                damage.missing_frames == 1 ? "that it announces is missing" : "that it announces are missing")}) {
    if (!part.empty()) {
      text += (text.empty() ? "" : ", ") + part;
    }
  }
  return text;
}

FilmReader::FilmReader(const std::string& path, std::string name) : name_(std::move(name)) {
  const LibavMessages messages;
  const auto refuse = [&](int error) {
    throw Error("video.read: cannot open " + name_ + ": " + libav_text(error, messages) +
                "; FFmpeg does not know this kind of video file, or it is damaged");
  };
  AVFormatContext* opened = nullptr;
  if (const int error = avformat_open_input(&opened, file_url(path).c_str(), nullptr, nullptr); error < 0) {
    refuse(error);
  }
  input_.reset(opened);
  if (const int error = avformat_find_stream_info(opened, nullptr); error < 0) {
    refuse(error);
  }
  const AVCodec* codec = nullptr;
  stream_ = av_find_best_stream(opened, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
  if (stream_ < 0) {
    refuse(stream_);
  }
  const AVStream& stream = *opened->streams[stream_];
  decoder_.reset(avcodec_alloc_context3(codec));
  if (!decoder_) {
    throw std::bad_alloc();
  }
  if (const int error = avcodec_parameters_to_context(decoder_.get(), stream.codecpar); error < 0) {
    refuse(error);
  }
  decoder_->thread_count = 1;
  decoder_->err_recognition |= AV_EF_CRCCHECK;
  if (const int error = avcodec_open2(decoder_.get(), codec, nullptr); error < 0) {
    refuse(error);
  }
  quarter_turns_ = quarter_turns_of(stream);
  read_.entries_at_opening = avformat_index_get_entries_count(&stream);
  fault_while_opening_ = messages.first();
}

std::string FilmReader::take_fault() {
  return std::exchange(fault_, {});
}

void FilmReader::note_fault(const std::string& what) {
  if (fault_.empty()) {
    fault_ = what;
  }
}

bool FilmReader::next() {
  while (!ended_) {
    switch (receive()) {
      case Received::frame:
        return true;
      case Received::needs_packet:
        feed();
        break;
      case Received::end:
        end();
    }
  }
  return false;
}

FilmReader::Received FilmReader::receive() {
  const LibavMessages messages;
  const int error = avcodec_receive_frame(decoder_.get(), frame_.get());
  if (error == AVERROR(EAGAIN)) {
    return Received::needs_packet;
  }
  if (error == AVERROR_EOF) {
    return Received::end;
  }
  if (error < 0) {
    ++damage_.unreadable_packets;
    note_fault("a packet cannot be decoded: " + libav_text(error, messages));
    return ++failures_ > kMaxFailures ? Received::end : Received::needs_packet;
  }
  failures_ = 0;
  const bool had_errors = with_errors_.erase(frame_->pts) > 0;
  if (had_errors || messages.count() > 0 || frame_->decode_error_flags != 0 ||
      (frame_->flags & AV_FRAME_FLAG_CORRUPT) != 0) {
    ++damage_.damaged_frames;
    note_fault("a frame was decoded with errors" + in_brackets(messages.first()));
  }
  return Received::frame;
}

/// Gives the decoder its next packet, or tells it that there is none.
void FilmReader::feed() {
  if (!read_packet()) {
    avcodec_send_packet(decoder_.get(), nullptr);
    return;
  }
  // Nobody needs the time stamps: with its number instead, a frame tells which packet it comes from.
  const std::int64_t number = read_.all++;
  packet_->pts = packet_->dts = number;
  if (packet_->size > 0) {  // an empty one says that the last frame is shown once more
    ++read_.with_content;
    const LibavMessages messages;
    const int error = avcodec_send_packet(decoder_.get(), packet_.get());
    if (error < 0) {
      ++damage_.unreadable_packets;
      note_fault("packet " + std::to_string(number) + " cannot be decoded: " + libav_text(error, messages));
    } else if (messages.count() > 0 || (packet_->flags & AV_PKT_FLAG_CORRUPT) != 0) {
      with_errors_.insert(number);
      note_fault("packet " + std::to_string(number) + " was decoded with errors" + in_brackets(messages.first()));
    }
  }
  av_packet_unref(packet_.get());
}

/// False at the end of the file.
bool FilmReader::read_packet() {
  while (failures_ <= kMaxFailures) {
    const LibavMessages messages;
    const int error = av_read_frame(input_.get(), packet_.get());
    require_readable();
    if (messages.count() > 0 || (error < 0 && error != AVERROR_EOF && error != AVERROR(EAGAIN))) {
      ++damage_.breaks;
      note_fault("the file is damaged behind packet " + std::to_string(read_.all) + ": " +
                 (error < 0 ? libav_text(error, messages) : messages.first()));
    }
    if (error == AVERROR_EOF) {
      return false;
    }
    failures_ = error < 0 ? failures_ + 1 : 0;
    if (error == 0) {
      if (packet_->stream_index == stream_) {
        return true;
      }
      av_packet_unref(packet_.get());
    }
  }
  return false;
}

/// An I/O error is not the film's.
void FilmReader::require_readable() const {
  const int error = input_->pb != nullptr ? input_->pb->error : 0;
  if (error < 0 && error != AVERROR_EOF) {
    throw Error("video.read: cannot read " + name_ + ": " + libav_text(error) + "; what was read before is complete");
  }
}

void FilmReader::end() {
  ended_ = true;
  damage_.unreadable_packets += with_errors_.size();
  with_errors_.clear();
  add_missing_frames();
  // The demuxer does not repeat what it found while it looked what the file is.
  if (!damage_.any() && !fault_while_opening_.empty()) {
    ++damage_.breaks;
    note_fault("the file is damaged near its beginning: " + fault_while_opening_);
  }
}

/// Compares what was read with what the file announces.
void FilmReader::add_missing_frames() {
  if (const StructureFault fault = structure_fault(*input_); fault && fault.ends_early) {
    damage_.cut_off = true;
    note_fault("the film is cut off: " + fault.text);
  } else if (fault && damage_.breaks == 0) {  // else the demuxer has told it
    ++damage_.breaks;
    note_fault("the file is damaged: " + fault.text);
  }
  read_.damaged = damage_.any();
  damage_.missing_frames = missing_frames(*input_, stream_, read_);
  if (damage_.missing_frames > 0) {
    note_fault("frames that it announces are missing behind packet " + std::to_string(read_.all));
  }
  require_readable();
}

PlaneShape FilmReader::shape() const {
  return quarter_turns_ % 2 == 0 ? PlaneShape{frame_->height, frame_->width, CV_8UC3}
                                 : PlaneShape{frame_->width, frame_->height, CV_8UC3};
}

void FilmReader::copy_to(cv::Mat& to) {
  const LibavMessages messages;
  const auto format = static_cast<AVPixelFormat>(frame_->format);
  scaler_.reset(sws_getCachedContext(scaler_.release(), frame_->width, frame_->height, format, frame_->width,
                                     frame_->height, AV_PIX_FMT_BGR24, SWS_BICUBIC, nullptr, nullptr, nullptr));
  if (!scaler_) {
    throw Error("video.read: cannot convert the frames of " + name_ + " to BGR: FFmpeg does not know how to" +
                in_brackets(messages.first()));
  }
  if (picture_->width != frame_->width || picture_->height != frame_->height) {
    av_frame_unref(picture_.get());
    picture_->format = AV_PIX_FMT_BGR24;
    picture_->width = frame_->width;
    picture_->height = frame_->height;
    if (av_frame_get_buffer(picture_.get(), 0) < 0) {
      throw std::bad_alloc();
    }
  }
  const int rows =
      sws_scale(scaler_.get(), frame_->data, frame_->linesize, 0, frame_->height, picture_->data, picture_->linesize);
  if (rows != frame_->height) {
    throw Error("video.read: cannot convert a frame of " + name_ +
                " to BGR: " + libav_text(rows < 0 ? rows : AVERROR_BUG, messages));
  }
  const cv::Mat upright(frame_->height, frame_->width, CV_8UC3, picture_->data[0],
                        static_cast<std::size_t>(picture_->linesize[0]));
  if (quarter_turns_ == 0) {
    upright.copyTo(to);
  } else {
    cv::rotate(upright, to, quarter_turns_ - 1);  // ROTATE_90_CLOCKWISE, ROTATE_180, ROTATE_90_COUNTERCLOCKWISE
  }
}

std::uint64_t count_frames(const std::string& path) {
  const LibavMessages messages;
  AVFormatContext* opened = nullptr;
  if (avformat_open_input(&opened, file_url(path).c_str(), nullptr, nullptr) < 0) {
    return 0;
  }
  const AvInput input(opened);
  const int stream = av_find_best_stream(opened, AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  const AvPacket packet = new_packet();
  std::uint64_t frames = 0;
  while (stream >= 0 && av_read_frame(opened, packet.get()) >= 0) {
    frames += packet->stream_index == stream ? 1 : 0;
    av_packet_unref(packet.get());
  }
  return frames;
}

}  // namespace pystream::opencv
