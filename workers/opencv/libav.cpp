#include "opencv/libav.hpp"

#include <array>
#include <cstdarg>
#include <new>

namespace pystream::opencv {
namespace {

thread_local LibavMessages* listening = nullptr;

/// A codec logs a message in several calls, of which only the last ends in a newline.
thread_local std::string unfinished;

void on_message(void* object, int level, const char* format, std::va_list arguments) {
  if (listening == nullptr) {
    av_log_default_callback(object, level, format, arguments);  // the process may hold others who use these libraries
    return;
  }
  if (level > AV_LOG_ERROR) {
    return;
  }
  std::array<char, 512> line{};
  int at_start = unfinished.empty() ? 1 : 0;
  av_log_format_line(object, level, format, arguments, line.data(), static_cast<int>(line.size()), &at_start);
  unfinished += line.data();
  if (at_start == 0) {
    return;
  }
  while (!unfinished.empty() && (unfinished.back() == '\n' || unfinished.back() == '.')) {
    unfinished.pop_back();
  }
  // "[mjpeg @ 0x55d0c8] overread 8": an address says nothing.
  if (const std::size_t end = unfinished.find("] "); unfinished.starts_with('[') && end != std::string::npos) {
    const std::size_t at = unfinished.find(" @ ");
    unfinished = unfinished.substr(1, (at < end ? at : end) - 1) + ": " + unfinished.substr(end + 2);
  }
  listening->add(unfinished);
  unfinished.clear();
}

template <class T>
T required(T object) {
  if (!object) {
    throw std::bad_alloc();
  }
  return object;
}

}  // namespace

AvPacket new_packet() {
  return required(AvPacket(av_packet_alloc()));
}

AvFrame new_frame() {
  return required(AvFrame(av_frame_alloc()));
}

std::string file_url(const std::string& path) {
  return "file:" + path;
}

std::string libav_text(int error) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
  av_strerror(error, text.data(), text.size());
  return text.data();
}

std::string libav_text(int error, const LibavMessages& messages) {
  return libav_text(error) + (messages.first().empty() ? "" : " (" + messages.first() + ")");
}

LibavMessages::LibavMessages() : outer_(listening) {
  static const bool kInstalled = (av_log_set_callback(&on_message), true);
  static_cast<void>(kInstalled);
  listening = this;
}

LibavMessages::~LibavMessages() {
  listening = outer_;
}

void LibavMessages::add(const std::string& text) {
  if (count_++ == 0) {
    first_ = text;
  }
}

}  // namespace pystream::opencv
