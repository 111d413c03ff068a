#include "opencv/image_damage.hpp"

#include <jpeglib.h>
#include <tiffio.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdarg>
#include <cstdint>
#include <cstdio>  // before jpeglib.h, which uses FILE
#include <cstring>
#include <string_view>
#include <vector>

namespace pystream::opencv {
namespace {

// ---- JPEG ----

/// libjpeg's own struct comes first, so that its address is that of this one.
struct JpegErrors {
  jpeg_error_mgr base;
  std::jmp_buf leave;
  std::array<char, JMSG_LENGTH_MAX> first;
};

void on_jpeg_message(j_common_ptr decoder, int level) {
  auto* errors = reinterpret_cast<JpegErrors*>(decoder->err);
  if (level >= 0) {
    return;  // traces
  }
  if (errors->base.num_warnings++ == 0) {
    errors->base.format_message(decoder, errors->first.data());
  }
}

[[noreturn]] void on_jpeg_error(j_common_ptr decoder) {
  on_jpeg_message(decoder, -1);
  std::longjmp(reinterpret_cast<JpegErrors*>(decoder->err)->leave, 1);
}

/// Decodes the whole file at an eighth of its size, which takes a fifth of a full decode: what is damaged shows in the
/// entropy coding and the markers, which are read in full.
/// Nothing here may have a destructor: libjpeg leaves by longjmp.
void read_jpeg(std::span<const std::byte> file, JpegErrors& errors, std::vector<JSAMPLE>& row) {
  jpeg_decompress_struct decoder;
  decoder.err = jpeg_std_error(&errors.base);
  errors.base.emit_message = on_jpeg_message;
  errors.base.error_exit = on_jpeg_error;
  jpeg_create_decompress(&decoder);
  if (setjmp(errors.leave) == 0) {
    jpeg_mem_src(&decoder, reinterpret_cast<const unsigned char*>(file.data()), file.size());
    jpeg_read_header(&decoder, TRUE);
    decoder.scale_num = 1;
    decoder.scale_denom = 8;
    if (decoder.jpeg_color_space == JCS_YCbCr) {
      decoder.out_color_space = JCS_GRAYSCALE;
    }
    jpeg_start_decompress(&decoder);
    row.resize(static_cast<std::size_t>(decoder.output_width) * static_cast<std::size_t>(decoder.output_components));
    JSAMPROW to = row.data();
    while (decoder.output_scanline < decoder.output_height) {
      jpeg_read_scanlines(&decoder, &to, 1);
    }
    jpeg_finish_decompress(&decoder);
  }
  jpeg_destroy_decompress(&decoder);
}

std::string jpeg_damage(std::span<const std::byte> file) {
  JpegErrors errors{};
  std::vector<JSAMPLE> row;
  read_jpeg(file, errors, row);
  return errors.first.data();
}

// ---- PNG ----

constexpr std::string_view kPngSignature = "\x89PNG\r\n\x1a\n";

std::uint32_t big_endian(std::span<const std::byte> bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (const std::byte byte : bytes.subspan(at, 4)) {
    value = value << 8 | std::to_integer<std::uint32_t>(byte);
  }
  return value;
}

/// Every chunk: length, name, content, checksum of the last two.
std::string png_damage(std::span<const std::byte> file) {
  constexpr std::size_t kFrame = 12;
  std::size_t at = kPngSignature.size();
  while (file.size() - at >= kFrame) {
    const std::size_t length = big_endian(file, at);
    const std::string name(reinterpret_cast<const char*>(file.data() + at + 4), 4);
    if (length > file.size() - at - kFrame) {
      return "it ends inside a chunk " + name;
    }
    const std::span checked = file.subspan(at + 4, 4 + length);
    const auto sum = ::crc32_z(0, reinterpret_cast<const Bytef*>(checked.data()), checked.size());
    if (sum != big_endian(file, at + 8 + length)) {
      return "wrong checksum of a chunk " + name;
    }
    if (name == "IEND") {
      return "";
    }
    at += kFrame + length;
  }
  return "it ends without a chunk IEND";
}

bool begins_with(std::span<const std::byte> file, std::string_view beginning) {
  return file.size() >= beginning.size() && std::memcmp(file.data(), beginning.data(), beginning.size()) == 0;
}

// ---- TIFF ----

thread_local TiffMessages* listening = nullptr;

void add_tiff_message(const char* module, const char* format, std::va_list arguments) {
  if (listening == nullptr) {
    return;
  }
  std::array<char, 512> text{};
  std::vsnprintf(text.data(), text.size(), format, arguments);
  listening->add(std::string(module != nullptr ? module : "libtiff") + ": " + text.data());
}

void on_tiff_error(thandle_t, const char* module, const char* format, std::va_list arguments) {
  add_tiff_message(module, format, arguments);
}

/// Of the directory many warnings are harmless, such as tags that libtiff does not know.
void on_tiff_warning(thandle_t, const char* module, const char* format, std::va_list arguments) {
  const std::string_view from = module != nullptr ? module : "";
  if (!from.starts_with("TIFFReadDirectory") && !from.starts_with("TIFFFetch") && !from.starts_with("TIFFAdvance")) {
    add_tiff_message(module, format, arguments);
  }
}

}  // namespace

std::string damage_of(std::span<const std::byte> file) {
  if (begins_with(file, "\xff\xd8\xff")) {
    return jpeg_damage(file);
  }
  return begins_with(file, kPngSignature) ? png_damage(file) : "";
}

TiffMessages::TiffMessages() : outer_(listening) {
  static const bool kInstalled = [] {
    TIFFSetErrorHandlerExt(&on_tiff_error);
    TIFFSetWarningHandlerExt(&on_tiff_warning);
    return true;
  }();
  static_cast<void>(kInstalled);
  listening = this;
}

TiffMessages::~TiffMessages() {
  listening = outer_;
}

void TiffMessages::add(const std::string& text) {
  if (first_.empty()) {
    first_ = text;
  }
}

}  // namespace pystream::opencv
