#pragma once

extern "C" {
#include <libavformat/avio.h>
}

#include <cstdint>
#include <string>

namespace pystream::opencv {

/// Numbers and tags at places of a film's file. What lies behind its end reads as 0, and so does what cannot be read:
/// then AVIOContext::error is set.
class FilmBytes {
 public:
  explicit FilmBytes(AVIOContext& file) : file_(file), size_(avio_size(&file)) {}

  /// Negative if the file has no size.
  std::int64_t size() const { return size_; }

  /// `bytes` is 1 to 8.
  std::uint64_t big(std::int64_t at, int bytes) {
    std::uint64_t value = 0;
    for (const char byte : text(at, bytes)) {
      value = value << 8U | static_cast<unsigned char>(byte);
    }
    return value;
  }
  std::uint64_t little(std::int64_t at, int bytes) {
    std::uint64_t value = 0;
    const std::string text = this->text(at, bytes);
    for (auto byte = text.rbegin(); byte != text.rend(); ++byte) {
      value = value << 8U | static_cast<unsigned char>(*byte);
    }
    return value;
  }
  int byte(std::int64_t at) { return static_cast<int>(big(at, 1)); }
  std::string text(std::int64_t at, int bytes) {
    std::string text(static_cast<std::size_t>(bytes), '\0');
    if (at < 0 || at >= size_) {
      return text;
    }
    if (const std::int64_t to = avio_seek(&file_, at, SEEK_SET); to < 0) {
      file_.error = static_cast<int>(to);  // where failed reads are kept too
      return text;
    }
    for (char& byte : text) {
      byte = static_cast<char>(avio_r8(&file_));
    }
    return text;
  }

 private:
  AVIOContext& file_;
  std::int64_t size_;
};

}  // namespace pystream::opencv
