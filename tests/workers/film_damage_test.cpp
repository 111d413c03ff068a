#include <cstring>
#include <filesystem>
#include <string>

#include "workers/film_remux.hpp"
#include "workers/films.hpp"

/// What video.read makes of films of which some bytes are wrong.
namespace pystream::test {
namespace {

TEST(FilmDamageTest, GoesOnBehindUnreadablePackets) {
  const TempFolder dir;
  const std::string whole = write_busy_clip(dir, kMjpeg);
  const Texts frames = read_film(dir / kMjpeg.name).frames;
  std::string damaged = whole;
  for (const int index : {0, 11, 12, kFrames - 1}) {
    std::memset(&damaged[avi_frame(damaged, index)], 0, 700);  // no JPEG begins there any more
  }
  const Read sut = read_film(dir.write("damaged.avi", damaged));
  Texts expected;
  for (int i = 0; i < kFrames; ++i) {
    if (i != 0 && i != 11 && i != 12 && i != kFrames - 1) {
      expected.push_back(frames[static_cast<std::size_t>(i)]);
    }
  }
  EXPECT_EQ(sut.frames, expected);
  EXPECT_NE(sut.fault.find("damaged.avi is damaged: 4 packets could not be decoded; first: packet 0 "),
            std::string::npos)
      << sut.fault;
}

TEST(FilmDamageTest, FramesWithMadeUpPartsAreCounted) {
  const TempFolder dir;
  std::string damaged = write_busy_clip(dir, kMjpeg);
  for (const int index : {5, 20, 21}) {
    const std::size_t at = avi_frame(damaged, index);
    const auto size = static_cast<unsigned char>(damaged[at - 4]) + 256U * static_cast<unsigned char>(damaged[at - 3]);
    std::memset(&damaged[at + size / 2], 0xff, size / 4);
  }
  const Read sut = read_film(dir.write("damaged.avi", damaged));
  EXPECT_EQ(sut.frames.size(), static_cast<std::size_t>(kFrames));
  EXPECT_NE(sut.fault.find("3 frames were decoded with errors; first: packet 5 "), std::string::npos) << sut.fault;
}

TEST(FilmDamageTest, RandomBytesChangedAnywhereLoseNoReadableFrame) {
  for (const Clip& clip : {kMjpeg, kMpeg4, kPng}) {
    const TempFolder dir;
    const std::string whole = write_busy_clip(dir, clip);
    for (int seed = 1; seed <= 5; ++seed) {
      std::string damaged = whole;
      cv::RNG random(static_cast<std::uint64_t>(seed));
      for (int i = 0; i < 200; ++i) {  // neither in the header nor in the index
        damaged[whole.size() / 10 + random.uniform(0, static_cast<int>(whole.size() * 6 / 10))] =
            static_cast<char>(random.uniform(0, 256));
      }
      const Read sut = read_film(dir.write("damaged" + std::filesystem::path(clip.name).extension().string(), damaged));
      EXPECT_NE(sut.fault, "") << clip.name << seed;
      // What is missing is counted, as frames or as packets.
      const int unreadable = number_before(sut.fault, " packet could not") +
                             number_before(sut.fault, " packets could not") + missing_in(sut.fault);
      EXPECT_GE(static_cast<int>(sut.frames.size()) + unreadable, kFrames) << clip.name << seed << ": " << sut.fault;
      EXPECT_GT(sut.frames.size(), clip.codec == kPng.codec ? 0U : kFrames / 2U) << clip.name << seed;
    }
  }
}

TEST(FilmDamageTest, CutFilmGivesWhatIsWholeAndSaysSo) {
  for (const Clip& clip : {kMjpeg, kH264}) {
    const TempFolder dir;
    const std::string whole = write_busy_clip(dir, clip);
    const Texts frames = read_film(dir / clip.name).frames;
    const std::string cut = dir / (std::string("cut_") + clip.name);
    for (const int tenths : {6, 8, 9}) {
      write_file(cut, std::string_view(whole).substr(0, whole.size() * static_cast<std::size_t>(tenths) / 10));
      const Read sut = read_film(cut);
      EXPECT_NE(sut.fault.find("cut_clip"), std::string::npos) << clip.name << tenths;
      EXPECT_LT(sut.frames.size(), frames.size()) << clip.name;
      // H.264 shows frames in another order than they are stored in.
      ASSERT_GT(sut.frames.size(), 4U) << clip.name << tenths;
      EXPECT_TRUE(std::equal(sut.frames.begin(), sut.frames.end() - 4, frames.begin())) << clip.name << tenths;
    }
  }
}

TEST(FilmDamageTest, CutMp4WithoutAnIndexNamesWhatIsMissing) {
  const TempFolder dir;
  const std::string whole = write_busy_clip(dir, kMpeg4);
  const std::string cut = dir.write("cut.mp4", std::string_view(whole).substr(0, whole.size() / 2));
  const std::string message = message_of([&] { make_stage("video.read", {{"path", cut}}); });
  EXPECT_NE(message.find("cannot open " + cut), std::string::npos) << message;
  EXPECT_NE(message.find("moov atom not found"), std::string::npos) << message;
}

TEST(FilmDamageTest, ResumeIsExactInADamagedFilm) {
  const TempFolder dir;
  const std::string whole = write_busy_clip(dir, kH264);
  std::string damaged = whole;
  for (std::size_t at = whole.size() / 4; at < whole.size(); at += whole.size() / 9) {
    damaged[at] = static_cast<char>(damaged[at] ^ 0x5a);
  }
  const std::string path = dir.write("damaged.mkv", damaged);
  const Read whole_run = read_film(path);
  ASSERT_NE(whole_run.fault, "");
  for (std::size_t committed = 0; committed < whole_run.frames.size(); committed += 3) {
    auto first = make_stage("video.read", {{"path", path}});
    run_source(*first, committed);
    auto sut = make_stage("video.read", {{"path", path}});
    restart_from(*sut, saved_cursor(*first));
    CollectingOutput out;
    EXPECT_EQ(message_of([&] {
                while (sut->source()->produce(out)) {
                }
              }),
              whole_run.fault);
    EXPECT_EQ(out.texts(),
              Texts(whole_run.frames.begin() + static_cast<std::ptrdiff_t>(committed), whole_run.frames.end()));
    auto told = make_stage("video.read", {{"path", path}});
    restart_from(*told, saved_cursor(*sut));
    EXPECT_EQ(run_source(*told).size(), 0U) << "what was told before the restart is not told again";
  }
  // A drain comes before the film's end, where the damage would be told.
  auto drained = make_stage("video.read", {{"path", path}});
  run_source(*drained, whole_run.frames.size() - 1);
  ::testing::internal::CaptureStderr();
  drained->cleanup();
  const std::string told = ::testing::internal::GetCapturedStderr();
  EXPECT_TRUE(told.find("lost: video.read: " + path + " is damaged") != std::string::npos) << told;
}

TEST(FilmDamageTest, DamageBehindTheLimitIsNotRead) {
  const TempFolder dir;
  std::string damaged = write_busy_clip(dir, kMjpeg);
  std::memset(&damaged[avi_frame(damaged, 30)], 0, 700);
  const std::string path = dir.write("damaged.avi", damaged);
  EXPECT_EQ(run_source(*make_stage("video.read", {{"path", path}, {"frames", 30}})).size(), 30U);
}

}  // namespace
}  // namespace pystream::test
