#include "opencv/film_structure.hpp"

extern "C" {
#include <libavutil/imgutils.h>
}

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <set>
#include <string_view>

#include "opencv/film_bytes.hpp"

namespace pystream::opencv {
namespace {

using Place = std::int64_t;

/// Larger figures in a file are nonsense; sums of smaller ones do not overflow.
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 60U;

/// No fault if what begins at `at` is in the file as a whole.
StructureFault cut_before(const FilmBytes& file, const std::string& what, Place at, std::uint64_t bytes) {
  const Place end = at + static_cast<Place>(std::min(bytes, kMostBytes));
  if (end <= file.size()) {
    return {};
  }
  return {.text = what + " at byte " + std::to_string(at) + " ends at byte " + std::to_string(end) +
                  ", the file at byte " + std::to_string(file.size())};
}

/// For a place where no part of the file begins. That is no fault if the film is over: then no `sign` of a part
/// follows.
StructureFault broken_at(FilmBytes& file, Place at, std::string_view sign) {
  constexpr Place kStep = 32 * 1024;
  for (Place place = at; place < file.size(); place += kStep) {
    const Place bytes = std::min(kStep + static_cast<Place>(sign.size()) - 1, file.size() - place);
    if (file.text(place, static_cast<int>(bytes)).find(sign) != std::string::npos) {
      return {.text = "something else than a part of the film begins at byte " + std::to_string(at),
              .ends_early = false};
    }
  }
  return {};
}

/// As above, but whatever is not zero is a sign.
StructureFault broken_unless_zero(FilmBytes& file, Place at) {
  for (Place place = at; place < file.size(); ++place) {
    if (file.byte(place) != 0) {
      return broken_at(file, at, file.text(place, 1));
    }
  }
  return {};
}

/// A sidx box tells how long the fragments behind it are.
StructureFault fault_in_fragments(FilmBytes& file, Place at, Place end) {
  const bool wide = file.byte(at + 8) != 0;
  Place place = at + (wide ? 36 : 28);
  std::uint64_t bytes = wide ? file.big(at + 28, 8) : file.big(at + 24, 4);
  const auto count = static_cast<int>(file.big(place + 2, 2));
  place += 4;
  for (int i = 0; i < count && place + 12 <= end; ++i, place += 12) {
    bytes += file.big(place, 4) & 0x7fffffffU;
  }
  return cut_before(file, "the last of the fragments that are listed", end, bytes);
}

/// MP4, MOV: boxes at the top level.
StructureFault fault_in_boxes(FilmBytes& file) {
  constexpr std::array<std::string_view, 18> kBoxes{"ftyp", "moov", "mdat", "moof", "mfra", "free",
                                                    "skip", "wide", "sidx", "styp", "uuid", "meta",
                                                    "emsg", "prft", "ssix", "pnot", "udta", "pdin"};
  for (Place at = 0; at < file.size();) {
    const Place left = file.size() - at;
    if (left < 8) {
      return file.big(at, static_cast<int>(left)) == 0 ? StructureFault{}
                                                       : cut_before(file, "the head of a box", at, 8);
    }
    const std::uint64_t short_size = file.big(at, 4);
    const std::uint64_t bytes = short_size == 1 ? file.big(at + 8, 8) : short_size;
    const std::string type = file.text(at + 4, 4);
    const bool known = std::ranges::find(kBoxes, type) != kBoxes.end();
    if (known && short_size == 0) {
      return {};  // up to the end of the file
    }
    if (bytes < 8 || (!known && cut_before(file, "", at, bytes))) {
      for (const std::string_view sign : {"moof", "mdat", "mfra"}) {
        if (StructureFault broken = broken_at(file, at, sign); broken) {
          return broken;
        }
      }
      return {};
    }
    if (StructureFault cut = cut_before(file, "the box " + type, at, bytes); cut) {
      return cut;
    }
    if (type == "sidx") {
      if (StructureFault cut = fault_in_fragments(file, at, at + static_cast<Place>(bytes)); cut) {
        return cut;
      }
    }
    at += static_cast<Place>(bytes);
  }
  return {};
}

/// AVI without sizes, as recorded into a pipe: lists are as good as left open.
StructureFault fault_in_avi_chunks(FilmBytes& file) {
  constexpr std::array<std::string_view, 4> kChunks{"LIST", "JUNK", "idx1", "RIFF"};
  for (Place at = 0; at + 8 <= file.size();) {
    const std::string id = file.text(at, 4);
    const std::string list = file.text(at + 8, 4);
    if (id == "RIFF" || (id == "LIST" && (list == "movi" || list == "rec "))) {
      at += 12;
      continue;
    }
    const bool of_stream = id[0] >= '0' && id[0] <= '9' && id[1] >= '0' && id[1] <= '9' && id[2] >= 'a' && id[2] <= 'z';
    if (!of_stream && !id.starts_with("ix") && std::ranges::find(kChunks, id) == kChunks.end()) {
      return broken_unless_zero(file, at);
    }
    const std::uint64_t bytes = 8 + file.little(at + 4, 4);
    if (StructureFault cut = cut_before(file, "the chunk", at, bytes); cut) {
      return cut;
    }
    at += static_cast<Place>(bytes + bytes % 2);
  }
  return {};
}

/// AVI: a RIFF chunk for each part of it. A recorder that could not go back left 0 or the largest number there.
StructureFault fault_in_riff(FilmBytes& file) {
  for (Place at = 0; at + 8 <= file.size() && file.text(at, 4) == "RIFF";) {
    const std::uint64_t bytes = file.little(at + 4, 4);
    if (bytes == 0 || bytes == 0xffffffffU) {
      return fault_in_avi_chunks(file);
    }
    if (at + 8 + static_cast<Place>(bytes) > file.size() + 1) {  // a last byte of padding may be missing
      return cut_before(file, "the RIFF chunk", at, 8 + bytes);
    }
    at += 8 + static_cast<Place>(bytes + bytes % 2);
  }
  return {};
}

/// Matroska, WebM. A recorder that cannot go back leaves the sizes of the segment and its clusters open: what is in
/// them follows as if it were beside them.
StructureFault fault_in_elements(FilmBytes& file) {
  constexpr std::uint64_t kSegment = 0x18538067;
  constexpr std::uint64_t kCluster = 0x1f43b675;
  for (Place at = 0; at < file.size();) {
    const int id_bytes = std::countl_zero(static_cast<std::uint8_t>(file.byte(at))) + 1;
    if (id_bytes > 4) {
      return {};  // damaged
    }
    const int size_bytes = std::countl_zero(static_cast<std::uint8_t>(file.byte(at + id_bytes))) + 1;
    if (at + id_bytes + std::min(size_bytes, 8) > file.size()) {
      return cut_before(file, "the head of an element", at,
                        static_cast<std::uint64_t>(id_bytes + std::min(size_bytes, 8)));
    }
    if (size_bytes > 8) {
      return {};
    }
    const std::uint64_t id = file.big(at, id_bytes);
    const std::uint64_t most = (std::uint64_t{1} << (7U * static_cast<unsigned>(size_bytes))) - 1;
    const std::uint64_t bytes = file.big(at + id_bytes, size_bytes) & most;
    const Place content = at + id_bytes + size_bytes;
    if (bytes == most) {
      if (id != kSegment && id != kCluster) {
        return {};
      }
      at = content;
    } else if (StructureFault cut = cut_before(file, id == kSegment ? "the segment" : "the element", content, bytes);
               cut) {
      return cut;
    } else {
      at = content + static_cast<Place>(bytes);
    }
  }
  return {};
}

/// The size of the file as the metadata at the beginning of a FLV file tell it; 0 if they do not.
std::uint64_t flv_file_size(FilmBytes& file, Place tag, std::uint64_t bytes) {
  constexpr std::string_view kName(
      "\0\x08"
      "filesize\0",
      11);
  const std::string text = file.text(tag + 11, static_cast<int>(std::min<std::uint64_t>(bytes, 64 * 1024)));
  const std::size_t at = text.find(kName);
  if (at == std::string::npos) {
    return 0;
  }
  const auto value = std::bit_cast<double>(file.big(tag + 11 + static_cast<Place>(at + kName.size()), 8));
  return value > 0 && value < static_cast<double>(kMostBytes) ? static_cast<std::uint64_t>(value) : 0;
}

StructureFault fault_in_flv(FilmBytes& file) {
  constexpr int kMetadata = 18;
  std::uint64_t announced = 0;
  for (Place at = static_cast<Place>(file.big(5, 4)) + 4; at < file.size();) {
    const int type = file.byte(at) & 0x1f;
    if (type != 8 && type != 9 && type != kMetadata) {
      return {};
    }
    const std::uint64_t bytes = file.big(at + 1, 3);
    if (StructureFault cut = cut_before(file, "the tag", at, 11 + bytes); cut) {
      return cut;
    }
    if (type == kMetadata && announced == 0) {
      announced = flv_file_size(file, at, bytes);
    }
    at += 11 + static_cast<Place>(bytes);
    if (at != file.size()) {  // some leave the last size of a tag out
      if (StructureFault cut = cut_before(file, "the size of a tag", at, 4); cut) {
        return cut;
      }
      at += 4;
    }
  }
  return cut_before(file, "the film that begins", 0, announced);
}

/// Ogg: each stream has a first and a last page.
StructureFault fault_in_pages(FilmBytes& file) {
  constexpr int kFirst = 2;
  constexpr int kLast = 4;
  constexpr int kHead = 27;
  std::set<std::uint64_t> open;
  for (Place at = 0; at < file.size();) {
    if (file.size() - at >= 4 && file.text(at, 4) != "OggS") {
      if (StructureFault broken = broken_at(file, at, "OggS"); broken) {
        return broken;
      }
      break;
    }
    const int parts = file.byte(at + kHead - 1);
    std::uint64_t bytes = static_cast<std::uint64_t>(kHead) + static_cast<std::uint64_t>(parts);
    if (StructureFault cut = cut_before(file, "the head of a page", at, bytes); cut) {
      return cut;
    }
    const int flags = file.byte(at + 5);
    const std::uint64_t stream = file.little(at + 14, 4);
    for (const char part : file.text(at + kHead, parts)) {
      bytes += static_cast<unsigned char>(part);
    }
    if (StructureFault cut = cut_before(file, "the page", at, bytes); cut) {
      return cut;
    }
    if ((flags & kFirst) != 0) {
      open.insert(stream);
    }
    if ((flags & kLast) != 0) {
      open.erase(stream);
    }
    at += static_cast<Place>(bytes);
  }
  return {.text = open.empty() ? "" : "its last page is missing"};
}

StructureFault fault_in_gif(FilmBytes& file) {
  constexpr int kExtension = 0x21;
  constexpr int kImage = 0x2c;
  constexpr int kTrailer = 0x3b;
  const auto colours = [&](Place at) { return (file.byte(at) & 0x80) == 0 ? 0 : 3 * (2 << (file.byte(at) & 7)); };
  for (Place at = 13 + colours(10); at < file.size();) {
    const int block = file.byte(at);
    if (block == kTrailer) {
      return {};
    }
    if (block == 0) {
      ++at;
      continue;
    }
    if (block == kExtension) {
      at += 2;
    } else if (block == kImage) {
      at += 11 + colours(at + 9);
    } else {
      return {};  // damaged
    }
    int bytes = 0;
    do {
      bytes = file.byte(at);
      at += 1 + bytes;
    } while (bytes != 0 && at < file.size());
  }
  return {.text = "its last byte, 0x3b, is missing"};
}

/// APNG
StructureFault fault_in_chunks(FilmBytes& file) {
  for (Place at = 8; at < file.size();) {
    const std::uint64_t bytes = 12 + file.big(at, 4);
    if (StructureFault cut = cut_before(file, "the chunk", at, bytes); cut) {
      return cut;
    }
    if (file.text(at + 4, 4) == "IEND") {
      return {};
    }
    at += static_cast<Place>(bytes);
  }
  return {.text = "its last chunk, IEND, is missing"};
}

/// MPEG transport stream: packets of one size, which begin with a byte of their own, some behind a time stamp.
StructureFault fault_in_transport(FilmBytes& file) {
  constexpr int kSync = 0x47;
  constexpr Place kProbed = 64 * 1024;
  for (Place begin = 0; begin < std::min(kProbed, file.size()); ++begin) {
    for (const int bytes : {188, 192, 204}) {
      bool found = true;
      for (int packet = 0; packet < 5 && found; ++packet) {
        const Place at = begin + packet * Place{bytes};
        found = at >= file.size() ? packet > 1 : file.byte(at) == kSync;
      }
      if (!found) {
        continue;
      }
      for (Place at = begin; at < file.size(); at += bytes) {
        if (file.byte(at) != kSync) {
          return broken_unless_zero(file, at);
        }
      }
      const Place last = file.size() - 1 - (file.size() - 1 - begin) % bytes;
      return cut_before(file, "the packet", last, bytes == 204 ? 204 : 188);  // a time stamp is in front of it
    }
  }
  return {};
}

/// MPEG program stream: packets that tell their size, of some 2 KiB.
StructureFault fault_in_program(FilmBytes& file) {
  constexpr int kEnd = 0xb9;
  constexpr int kPack = 0xba;
  for (Place at = 0; at + 4 <= file.size();) {
    const int kind = file.byte(at + 3);
    if (file.big(at, 3) != 1 || kind < kEnd) {
      ++at;  // padding, or damaged
      continue;
    }
    std::uint64_t bytes = 4;
    if (kind == kPack) {
      const bool second = (file.byte(at + 4) & 0xc0) == 0x40;  // MPEG-2
      bytes = second ? 14U + (static_cast<unsigned>(file.byte(at + 13)) & 7U) : 12U;
    } else if (kind != kEnd) {
      bytes = 6 + file.big(at + 4, 2);
    }
    if (StructureFault cut = cut_before(file, "the packet", at, bytes); cut) {
      return cut;
    }
    at += static_cast<Place>(bytes);
  }
  return {};
}

/// YUV4MPEG: a line before the film and before each frame, and frames of one size.
StructureFault fault_in_y4m(FilmBytes& file, const AVFormatContext& film) {
  const AVCodecParameters& picture = *film.streams[0]->codecpar;
  const int frame =
      av_image_get_buffer_size(static_cast<AVPixelFormat>(picture.format), picture.width, picture.height, 1);
  Place at = 0;
  for (bool is_frame = false; at < file.size() && frame > 0; is_frame = true) {
    const Place begin = at;
    if (is_frame && file.size() - at >= 5 && file.text(at, 5) != "FRAME") {
      return broken_at(file, at, "FRAME");
    }
    while (at < file.size() && file.byte(at) != '\n') {
      ++at;
    }
    ++at;
    const Place end = at + (is_frame ? frame : 0);
    if (StructureFault cut = cut_before(file, "the frame", begin, static_cast<std::uint64_t>(end - begin)); cut) {
      return cut;
    }
    at = end;
  }
  return {};
}

StructureFault fault_in_ivf(FilmBytes& file) {
  for (Place at = static_cast<Place>(file.little(6, 2)); at < file.size();) {
    const std::uint64_t bytes = 12 + file.little(at, 4);
    if (StructureFault cut = cut_before(file, "the frame", at, bytes); cut) {
      return cut;
    }
    at += static_cast<Place>(bytes);
  }
  return {};
}

/// ASF (WMV): a head, behind it the data. A live recording tells no size.
StructureFault fault_in_asf(FilmBytes& file) {
  constexpr std::uint64_t kFileProperties = 0xa1dcab8c47a9cf11;
  constexpr std::uint64_t kData = 0x3626b2758e66cf11;
  const Place head = static_cast<Place>(std::min(file.little(16, 8), kMostBytes));
  for (Place at = 30; at + 24 <= std::min(head, file.size());) {
    const std::uint64_t bytes = file.little(at + 16, 8);
    if (file.big(at, 8) == kFileProperties && (file.little(at + 88, 4) & 1U) != 0) {
      return {};  // live
    }
    if (bytes < 24 || bytes > kMostBytes) {
      return {};
    }
    at += static_cast<Place>(bytes);
  }
  return file.big(head, 8) == kData ? cut_before(file, "the data", head, file.little(head + 16, 8)) : StructureFault{};
}

/// MXF: keys with values. A complete file tells where its last part begins.
StructureFault fault_in_mxf(FilmBytes& file) {
  constexpr std::uint64_t kKey = 0x060e2b34;
  constexpr std::uint64_t kPartition = 0x060e2b3402050101;
  constexpr std::uint64_t kHeader = 0x0d01020101020000;
  std::uint64_t footer = 0;
  for (Place at = 0; at < file.size();) {
    if (file.size() - at >= 4 && file.big(at, 4) != kKey) {
      return at == 0 ? StructureFault{} : broken_at(file, at, "\x06\x0e\x2b\x34");
    }
    const int first = file.byte(at + 16);
    const int more = first < 0x80 ? 0 : first & 0x7f;
    if (more > 8) {
      return {};
    }
    const std::uint64_t bytes = more == 0 ? static_cast<unsigned>(first) : file.big(at + 17, more);
    const Place value = at + 17 + more;
    if (StructureFault cut = cut_before(file, "the value", value, bytes); cut) {
      return cut;
    }
    if (file.big(at, 8) == kPartition && (file.big(at + 8, 8) & ~std::uint64_t{0xffff}) == kHeader) {
      footer = file.big(value + 24, 8);
    }
    at = value + static_cast<Place>(bytes);
  }
  const Place last = static_cast<Place>(std::min(footer, kMostBytes));
  if (StructureFault cut = cut_before(file, "the footer", last, footer == 0 ? 0 : 16); cut) {
    return cut;
  }
  return footer == 0 || file.big(last, 8) == kPartition ? StructureFault{} : broken_at(file, last, "");
}

/// Flash, unless it is compressed. FFmpeg writes 100 MiB where it cannot go back.
StructureFault fault_in_swf(FilmBytes& file) {
  const std::uint64_t bytes = file.little(4, 4);
  return file.text(0, 3) != "FWS" || bytes == 100U << 20U ? StructureFault{}
                                                          : cut_before(file, "the film that begins", 0, bytes);
}

/// DV: frames of one size, without any head.
StructureFault fault_in_dv(FilmBytes& file) {
  const bool pal = (file.byte(3) & 0x80) != 0;
  const int bytes = pal ? 144'000 : 120'000;
  const Place last = file.size() - file.size() % bytes;
  return cut_before(file, "the frame", last, last == file.size() ? 0 : static_cast<std::uint64_t>(bytes));
}

StructureFault fault_of(FilmBytes& file, const AVFormatContext& film) {
  const std::string_view kind(film.iformat->name);
  return kind.starts_with("mov,")       ? fault_in_boxes(file)
         : kind == "avi"                ? fault_in_riff(file)
         : kind.starts_with("matroska") ? fault_in_elements(file)
         : kind == "flv"                ? fault_in_flv(file)
         : kind == "ogg"                ? fault_in_pages(file)
         : kind == "gif"                ? fault_in_gif(file)
         : kind == "apng"               ? fault_in_chunks(file)
         : kind == "mpegts"             ? fault_in_transport(file)
         : kind == "mpeg"               ? fault_in_program(file)
         : kind == "yuv4mpegpipe"       ? fault_in_y4m(file, film)
         : kind == "ivf"                ? fault_in_ivf(file)
         : kind == "asf"                ? fault_in_asf(file)
         : kind == "mxf"                ? fault_in_mxf(file)
         : kind == "dv"                 ? fault_in_dv(file)
         : kind == "swf"                ? fault_in_swf(file)
                                        : StructureFault{};
}

}  // namespace

StructureFault structure_fault(AVFormatContext& film) {
  if (film.pb == nullptr) {
    return {};
  }
  FilmBytes file(*film.pb);
  return file.size() <= 0 ? StructureFault{} : fault_of(file, film);
}

}  // namespace pystream::opencv
