#include "opencv/film_index.hpp"

#include <algorithm>
#include <string_view>

#include "opencv/film_bytes.hpp"

namespace pystream::opencv {
namespace {

/// An MP4 file's entries tell the place of each frame. The demuxer leaves out what an edit list leaves out, and a
/// parser may make one packet of two entries: so what is behind the end of the file is counted, and not what is read.
std::int64_t behind_the_end(AVStream& stream, std::int64_t file_size) {
  std::int64_t missing = 0;
  for (int i = 0; i < avformat_index_get_entries_count(&stream); ++i) {
    const AVIndexEntry& entry = *avformat_index_get_entry(&stream, i);
    missing += entry.size > 0 && entry.pos + entry.size > file_size ? 1 : 0;
  }
  return missing;
}

/// An AVI file's entries may be of changed palettes too.
std::int64_t palettes_of(AVStream& stream, FilmBytes& file) {
  std::int64_t palettes = 0;
  for (int i = 0; i < avformat_index_get_entries_count(&stream); ++i) {
    palettes += file.text(avformat_index_get_entry(&stream, i)->pos + 2, 2) == "pc" ? 1 : 0;
  }
  return palettes;
}

std::int64_t missing_of_avi(AVStream& stream, FilmBytes& file, const ReadPackets& read) {
  const int entries = avformat_index_get_entries_count(&stream);
  if (entries == 0 || entries != read.entries_at_opening) {
    // No index, as in a file that is cut off: the demuxer makes one as it reads. Then there is the number in the head.
    // It counts chunks of no bytes too, which say "the last frame again" and give no packet: it is right only roughly.
    // Where a recorder could not go back to tell it, it is larger than the file can be.
    constexpr int kChunkHead = 8;
    return read.damaged && stream.nb_frames <= file.size() / kChunkHead ? stream.nb_frames - read.all : 0;
  }
  std::int64_t announced = 0;
  for (int i = 0; i < entries; ++i) {
    announced += avformat_index_get_entry(&stream, i)->size > 0 ? 1 : 0;
  }
  return announced <= read.with_content ? 0 : announced - read.with_content - palettes_of(stream, file);
}

}  // namespace

std::uint64_t missing_frames(AVFormatContext& film, int stream, const ReadPackets& read) {
  if (film.pb == nullptr) {
    return 0;
  }
  const std::string_view kind(film.iformat->name);
  FilmBytes file(*film.pb);
  std::int64_t missing = 0;
  if (kind == "avi") {
    missing = missing_of_avi(*film.streams[stream], file, read);
  } else if (kind.starts_with("mov,")) {
    missing = behind_the_end(*film.streams[stream], file.size());
  }
  return static_cast<std::uint64_t>(std::max<std::int64_t>(missing, 0));
}

}  // namespace pystream::opencv
