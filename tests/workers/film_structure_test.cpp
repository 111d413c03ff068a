#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "workers/film_encode.hpp"
#include "workers/films.hpp"

/// Films whose file ends too early or has lost a part. FFmpeg's demuxers take most of these ends for the end of the
/// film, and look for the next frame behind a hole without a word.
namespace pystream::test {
namespace {

constexpr const char* kFragments = "movflags=frag_keyframe+empty_moov";

const std::vector<EncodedFilm> kKinds{
    {.name = "plain.mp4", .encoder = "mpeg4"},
    {.name = "index_first.mp4", .encoder = "mpeg4", .options = "movflags=faststart"},
    {.name = "b_frames.mp4", .encoder = "mpeg4", .options = "movflags=faststart", .coding = "bf=2"},
    {.name = "index_first.mov", .encoder = "png", .options = "movflags=faststart"},
    {.name = "fragments.mp4", .encoder = "mpeg4", .options = kFragments},
    {.name = "listed.mp4", .encoder = "mpeg4", .options = "movflags=dash+global_sidx"},
    {.name = "clip.avi", .encoder = "mjpeg"},
    {.name = "b_frames.avi", .encoder = "mpeg4", .coding = "bf=2"},
    {.name = "clip.mkv", .encoder = "mpeg4"},
    {.name = "clip.flv", .encoder = "flv"},
    {.name = "clip.ogv", .encoder = "libtheora"},
    {.name = "clip.gif", .encoder = "gif"},
    {.name = "clip.apng", .encoder = "apng"},
    {.name = "clip.ts", .encoder = "mpeg2video"},
    {.name = "clip.mpg", .encoder = "mpeg1video"},
    {.name = "clip.y4m", .encoder = "wrapped_avframe"},
    {.name = "clip.wmv", .encoder = "wmv2"},
    {.name = "clip.mxf", .encoder = "mpeg2video"},
    {.name = "clip.ivf", .encoder = "libvpx"},
    {.name = "clip.dv", .encoder = "dvvideo"},
};

/// Recorded into a pipe: sizes that are known only at the end are open.
const std::vector<EncodedFilm> kRecordings{
    {.name = "live.mkv", .encoder = "mpeg4", .can_go_back = false},
    {.name = "live.webm", .encoder = "libvpx", .options = "live=1", .can_go_back = false},
    {.name = "live.flv", .encoder = "flv", .can_go_back = false},
    {.name = "live.avi", .encoder = "mjpeg", .can_go_back = false},
    {.name = "live.mp4", .encoder = "mpeg4", .options = kFragments, .can_go_back = false},
    {.name = "live.ogv", .encoder = "libtheora", .can_go_back = false},
    {.name = "live.wmv", .encoder = "wmv2", .can_go_back = false},
    {.name = "live.ts", .encoder = "mpeg2video", .can_go_back = false},
};

std::string cut_path(const TempFolder& dir, const EncodedFilm& film) {
  return dir / (std::string("cut_") + film.name);
}

/// The message that tells of the damage, of whatever kind; empty if there is none.
std::string fault_of(const std::string& path) {
  std::string fault;
  const std::string refused = message_of([&] { fault = read_film(path).fault; });
  return refused.empty() ? fault : refused;
}

/// Where the packets begin and end.
std::vector<std::size_t> packet_borders(const std::string& path) {
  AVFormatContext* opened = nullptr;
  require_libav(avformat_open_input(&opened, path.c_str(), nullptr, nullptr), "open");
  const opencv::AvInput input(opened);
  const opencv::AvPacket packet = opencv::new_packet();
  std::vector<std::size_t> borders;
  while (av_read_frame(opened, packet.get()) >= 0) {
    if (packet->pos > 0) {
      borders.push_back(static_cast<std::size_t>(packet->pos));
    }
    av_packet_unref(packet.get());
  }
  return borders;
}

TEST(FilmStructureTest, WholeFilmsRaiseNoAlarm) {
  for (const auto* kinds : {&kKinds, &kRecordings}) {
    for (const EncodedFilm& film : *kinds) {
      const TempFolder dir;
      if (!encode_film(dir / film.name, film)) {
        continue;
      }
      const Read sut = read_film(dir / film.name);
      EXPECT_EQ(sut.frames.size(), static_cast<std::size_t>(kEncodedFrames)) << film.name;
      EXPECT_EQ(sut.fault, "") << film.name;
    }
  }
}

TEST(FilmStructureTest, FilmsCutAnywhereAreDamaged) {
  for (const EncodedFilm& film : kKinds) {
    const TempFolder dir;
    if (!encode_film(dir / film.name, film)) {
      continue;
    }
    const std::string whole = read_file(dir / film.name);
    for (int cut = 0; cut < 5; ++cut) {
      // Odd: where a packet of a fixed size ends the film could end too.
      const std::size_t bytes = whole.size() * static_cast<std::size_t>(31 + 13 * cut) / 100 | 1U;
      write_file(cut_path(dir, film), std::string_view(whole).substr(0, bytes));
      EXPECT_NE(fault_of(cut_path(dir, film)), "") << film.name << " cut at " << bytes << " of " << whole.size();
    }
  }
}

TEST(FilmStructureTest, FilmsCutBetweenFramesLackTheirEnd) {
  const std::string_view undecided = ".ts.mpg.y4m.ivf.dv";
  for (const EncodedFilm& film : kKinds) {
    const TempFolder dir;
    if (undecided.find(std::filesystem::path(film.name).extension().string()) != std::string_view::npos ||
        !encode_film(dir / film.name, film)) {
      continue;
    }
    const std::string whole = read_file(dir / film.name);
    const std::vector<std::size_t> borders = packet_borders(dir / film.name);
    for (std::size_t packet = 15; packet < borders.size(); packet += 6) {
      write_file(cut_path(dir, film), std::string_view(whole).substr(0, borders[packet]));
      EXPECT_NE(fault_of(cut_path(dir, film)), "") << film.name << " cut at " << borders[packet];
    }
  }
}

TEST(FilmStructureTest, RecordingsCutInAFrameAreDamaged) {
  for (const EncodedFilm& film : kRecordings) {
    const TempFolder dir;
    if (!encode_film(dir / film.name, film)) {
      continue;
    }
    const std::string whole = read_file(dir / film.name);
    const std::vector<std::size_t> borders = packet_borders(dir / film.name);
    for (std::size_t packet = 15; packet + 1 < borders.size(); packet += 6) {
      const std::size_t bytes = borders[packet] + 40;
      write_file(cut_path(dir, film), std::string_view(whole).substr(0, bytes));
      EXPECT_NE(fault_of(cut_path(dir, film)), "") << film.name << " cut at " << bytes;
    }
  }
}

TEST(FilmStructureTest, MissingFramesOfAnIndexAreCounted) {
  for (const EncodedFilm& film : kKinds) {
    const std::string_view name(film.name);
    if (!name.starts_with("index_first") && name != "b_frames.mp4" && !name.ends_with(".avi")) {
      continue;
    }
    const TempFolder dir;
    ASSERT_TRUE(encode_film(dir / film.name, film));
    const std::string whole = read_file(dir / film.name);
    const std::vector<std::size_t> borders = packet_borders(dir / film.name);
    write_file(cut_path(dir, film), std::string_view(whole).substr(0, *(borders.end() - 12)));
    const Read sut = read_film(cut_path(dir, film));
    EXPECT_EQ(missing_in(sut.fault), 12) << film.name << ": " << sut.fault;
    EXPECT_NE(sut.fault.find("its end is missing"), std::string::npos) << sut.fault;
    EXPECT_EQ(sut.frames.size(), static_cast<std::size_t>(kEncodedFrames - 12)) << film.name;
  }
}

TEST(FilmStructureTest, PaddingBehindAFilmIsNoDamage) {
  for (const EncodedFilm& film : kKinds) {
    const std::string end = std::filesystem::path(film.name).extension();
    if (end != ".mp4" && end != ".mov" && end != ".avi" && end != ".mkv" && end != ".ogv") {
      continue;
    }
    const TempFolder dir;
    if (!encode_film(dir / film.name, film)) {
      continue;
    }
    write_file(cut_path(dir, film), read_file(dir / film.name) + std::string(3000, '\0'));
    const Read sut = read_film(cut_path(dir, film));
    EXPECT_EQ(sut.frames.size(), static_cast<std::size_t>(kEncodedFrames)) << film.name;
    EXPECT_EQ(sut.fault, "") << film.name;
  }
}

TEST(FilmStructureTest, HolesAreTold) {
  const std::string_view told =
      "fragments.mp4 listed.mp4 clip.avi clip.mkv clip.ogv clip.flv clip.ts clip.mxf live.avi live.mp4 "
      "live.ts live.mkv";
  for (const auto* kinds : {&kKinds, &kRecordings}) {
    for (const EncodedFilm& film : *kinds) {
      const TempFolder dir;
      if (told.find(film.name) == std::string_view::npos || !encode_film(dir / film.name, film)) {
        continue;
      }
      const std::string whole = read_file(dir / film.name);
      // From frame to frame, so that no decoder meets a part of one.
      const std::vector<std::size_t> borders = packet_borders(dir / film.name);
      for (std::size_t packet = 5; packet + 20 < borders.size(); packet += 5) {
        const std::size_t at = borders[packet];
        const std::size_t hole = borders[packet + 14] - at;
        std::string zeros = whole;
        zeros.replace(at, hole, hole, '\0');
        write_file(cut_path(dir, film), zeros);
        EXPECT_NE(fault_of(cut_path(dir, film)), "") << film.name << ": zeros at " << at << " of " << whole.size();
      }
    }
  }
}

/// No decoder meets a part of a frame there, and no index tells of one.
TEST(FilmStructureTest, HolesFromPartToPartAreTold) {
  struct Case {
    const char* film;
    std::string_view sign;  ///< that each part begins with
    std::size_t before;     ///< bytes of the part in front of it
  };
  for (const Case& sut : {Case{"fragments.mp4", "moof", 4}, Case{"live.mp4", "moof", 4}, Case{"live.avi", "00dc", 0}}) {
    const auto& kinds = std::string_view(sut.film).starts_with("live") ? kRecordings : kKinds;
    const auto film = std::ranges::find(kinds, std::string_view(sut.film), &EncodedFilm::name);
    const TempFolder dir;
    ASSERT_TRUE(encode_film(dir / sut.film, *film));
    std::string damaged = read_file(dir / sut.film);
    const std::size_t first = damaged.find(sut.sign, damaged.find(sut.sign) + 4);
    const std::size_t second = damaged.find(sut.sign, first + 4);
    ASSERT_NE(second, std::string::npos) << sut.film;
    damaged.replace(first - sut.before, second - first, second - first, '\0');
    write_file(cut_path(dir, *film), damaged);
    const Read read = read_film(cut_path(dir, *film));
    EXPECT_LT(read.frames.size(), static_cast<std::size_t>(kEncodedFrames)) << sut.film;
    EXPECT_NE(read.fault.find("1 place of the file could not be read"), std::string::npos) << sut.film << read.fault;
  }
}

TEST(FilmStructureTest, FramesInLostSectorsAreCounted) {  // zeros hold no chunk that the demuxer could miss
  for (const Clip& clip : {kMjpeg, Clip{"mp4v", "mpeg4.avi"}, Clip{"FFV1", "ffv1.avi"}}) {
    const TempFolder dir;
    std::string damaged = write_busy_clip(dir, clip);
    const std::size_t begin = avi_frame(damaged, 12) - 8;
    const std::size_t end = avi_frame(damaged, 20) - 8;
    damaged.replace(begin, end - begin, end - begin, '\0');
    const Read sut = read_film(dir.write("damaged.avi", damaged));
    EXPECT_EQ(missing_in(sut.fault), 8) << clip.name << ": " << sut.fault;
    EXPECT_EQ(sut.frames.size(), static_cast<std::size_t>(kFrames - 8)) << clip.name;
  }
}

TEST(FilmStructureTest, FramesShownLongerAreNotMissing) {
  const TempFolder dir;
  write_busy_clip(dir, kMjpeg);
  remux(dir / kMjpeg.name, dir / "slow.avi",
        {.packet = [](AVPacket& packet, int number) { packet.pts = packet.dts = std::int64_t{number} * 3; }});
  std::string damaged = read_file(dir / "slow.avi");
  ASSERT_EQ(read_film(dir / "slow.avi").fault, "");
  const std::size_t begin = avi_frame(damaged, 30) - 8;  // empty chunks count here
  const std::size_t end = avi_frame(damaged, 36) - 8;    // two frames, each with two empty chunks behind it
  damaged.replace(begin, end - begin, end - begin, '\0');
  const Read sut = read_film(dir.write("damaged.avi", damaged));
  EXPECT_EQ(missing_in(sut.fault), 2) << sut.fault;
  EXPECT_EQ(sut.frames.size(), static_cast<std::size_t>(kFrames - 2));
}

}  // namespace
}  // namespace pystream::test
