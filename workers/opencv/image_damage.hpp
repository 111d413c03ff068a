#pragma once

#include <cstddef>
#include <span>
#include <string>

/// Damage in image files that OpenCV decodes without a word: it keeps the warnings of libjpeg and the errors of libtiff
/// to itself, and gives a picture with the rest made up.
namespace pystream::opencv {

/// What is wrong with the bytes of a JPEG or PNG file; empty if nothing is, or if they are something else. Formats
/// without checksums (BMP, PPM, WebP, ...) have nothing to look at, but OpenCV refuses those that end early.
std::string damage_of(std::span<const std::byte> file);

/// What libtiff complains of in this thread while this object exists.
class TiffMessages {
 public:
  TiffMessages();
  ~TiffMessages();
  TiffMessages(const TiffMessages&) = delete;
  TiffMessages& operator=(const TiffMessages&) = delete;

  /// The first message; empty if there is none.
  const std::string& first() const { return first_; }
  void add(const std::string& text);

 private:
  TiffMessages* outer_;
  std::string first_;
};

}  // namespace pystream::opencv
