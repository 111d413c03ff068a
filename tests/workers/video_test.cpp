extern "C" {
#include <libavutil/display.h>
}

#include <sys/mount.h>
#include <sys/resource.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <set>

#include "support/sanitized.hpp"
#include "workers/film_remux.hpp"
#include "workers/image_items.hpp"

namespace pystream::test {
namespace {

using opencv::ImageView;

constexpr int kFrames = 40;

/// What a source gave, and the message of the exception that ended it, if one did.
struct Read {
  Texts frames;
  std::string fault;
};

Read read_film(const std::string& path) {
  Read read;
  auto source = make_stage("video.read", {{"path", path}});
  CollectingOutput out;
  read.fault = message_of([&] {
    while (source->produce(out)) {
    }
  });
  if (!read.fault.empty()) {
    EXPECT_FALSE(source->produce(out)) << "told once, the source has ended";
  }
  read.frames = out.texts();
  return read;
}

struct Clip {
  const char* codec;
  const char* name;
};
constexpr Clip kMjpeg{"MJPG", "clip.avi"};
constexpr Clip kMpeg4{"mp4v", "clip.mp4"};
constexpr Clip kH264{"avc1", "clip.mkv"};
constexpr Clip kPng{"MPNG", "clip.mov"};

/// Frames with enough in them that damage is seen.
cv::Mat busy_scene(int frame, cv::Size size = {160, 120}) {
  cv::Mat image = noise(size.height, size.width, CV_8UC3, 7 + frame) / 8;
  cv::circle(image, {20 + 3 * frame, size.height / 2}, 18, cv::Scalar(30, 200, 250), cv::FILLED);
  return image;
}

std::string write_busy_clip(const TempFolder& dir, const Clip& clip) {
  auto sink = make_stage("video.write", {{"path", dir / clip.name}, {"codec", clip.codec}});
  CollectingOutput unused;
  for (int i = 0; i < kFrames; ++i) {
    feed(*sink, image_item({busy_scene(i)}), unused);
  }
  sink->cleanup();
  return read_file(dir / clip.name);
}

/// Where frame `index` of an AVI begins.
std::size_t avi_frame(const std::string& avi, int index) {
  std::size_t at = avi.find("movi");
  for (int i = 0; i <= index; ++i) {
    at = avi.find("00dc", at + 4);
  }
  return at + 8;
}

// ---- video.read ----

TEST(VideoReadTest, GivesEveryFrame) {
  const TempFolder dir;
  write_clip(dir / "clip.avi", 10);
  auto sut = make_stage("video.read", {{"path", dir / "clip.avi"}});
  const Texts frames = run_source(*sut);
  ASSERT_EQ(frames.size(), 10U);
  const ImageView view(bytes_of(frames[3]));
  EXPECT_EQ(view.image().size(), cv::Size(80, 60));
  EXPECT_LT(cv::norm(view.image(), scene(3), cv::NORM_L1) / (80 * 60 * 3), 5);
  EXPECT_EQ(run_source(*make_stage("video.read", {{"path", dir / "clip.avi"}, {"frames", 4}})).size(), 4U);
}

TEST(VideoReadTest, ResumeIsExactAtEveryFrame) {
  const TempFolder dir;
  write_clip(dir / "clip.avi", 6);
  const Texts frames = run_source(*make_stage("video.read", {{"path", dir / "clip.avi"}}));
  for (std::size_t committed = 0; committed <= frames.size(); ++committed) {
    auto first = make_stage("video.read", {{"path", dir / "clip.avi"}});
    run_source(*first, committed);
    const std::string cursor = saved_cursor(*first);
    auto sut = make_stage("video.read", {{"path", dir / "clip.avi"}});
    restart_from(*sut, cursor);
    EXPECT_EQ(run_source(*sut), Texts(frames.begin() + static_cast<std::ptrdiff_t>(committed), frames.end()));
  }
}

TEST(VideoReadTest, MissingAndBrokenFilesAreNamed) {
  const TempFolder dir;
  write_file(dir / "broken.avi", "RIFF no video");
  EXPECT_NE(message_of([&] {
              make_stage("video.read", {{"path", dir / "none.avi"}});
            }).find("there is no such file"),
            std::string::npos);
  EXPECT_NE(message_of([&] {
              make_stage("video.read", {{"path", dir / "broken.avi"}});
            }).find("does not know this kind"),
            std::string::npos);
}

TEST(VideoReadTest, EveryKindOfFilmComesBackWhole) {
  for (const Clip& clip : {kMjpeg, kMpeg4, kH264, kPng}) {
    const TempFolder dir;
    write_busy_clip(dir, clip);
    const Read sut = read_film(dir / clip.name);
    EXPECT_EQ(sut.frames.size(), static_cast<std::size_t>(kFrames)) << clip.name;
    EXPECT_EQ(sut.fault, "") << clip.name;
    EXPECT_LT(cv::norm(ImageView(bytes_of(sut.frames.at(9))).image(), busy_scene(9), cv::NORM_L1) / (160 * 120 * 3), 20)
        << clip.name;
  }
}

TEST(VideoReadTest, GoesOnBehindUnreadablePackets) {
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

TEST(VideoReadTest, FramesWithMadeUpPartsAreCounted) {
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

TEST(VideoReadTest, RandomBytesChangedAnywhereLoseNoReadableFrame) {
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
      const auto number_before = [&](const std::string& what) {
        const std::size_t end = sut.fault.find(what);
        const std::size_t begin = end == std::string::npos ? end : sut.fault.find_last_not_of("0123456789", end - 1);
        return end == std::string::npos ? 0 : std::stoi(sut.fault.substr(begin + 1, end - begin - 1));
      };
      const int unreadable = number_before(" packet could not") + number_before(" packets could not") +
                             number_before(" frame that it") + number_before(" frames that it");
      EXPECT_GE(static_cast<int>(sut.frames.size()) + unreadable, kFrames) << clip.name << seed << ": " << sut.fault;
      EXPECT_GT(sut.frames.size(), clip.codec == kPng.codec ? 0U : kFrames / 2U) << clip.name << seed;
    }
  }
}

TEST(VideoReadTest, CutFilmGivesWhatIsWholeAndSaysSo) {
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

TEST(VideoReadTest, CutMp4WithoutAnIndexNamesWhatIsMissing) {
  const TempFolder dir;
  const std::string whole = write_busy_clip(dir, kMpeg4);
  const std::string cut = dir.write("cut.mp4", std::string_view(whole).substr(0, whole.size() / 2));
  const std::string message = message_of([&] { make_stage("video.read", {{"path", cut}}); });
  EXPECT_NE(message.find("cannot open " + cut), std::string::npos) << message;
  EXPECT_NE(message.find("moov atom not found"), std::string::npos) << message;
}

TEST(VideoReadTest, ResumeIsExactInADamagedFilm) {
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
                while (sut->produce(out)) {
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

TEST(VideoReadTest, FilmInFragmentsIsReadWhole) {  // the index at the beginning is of the first fragment only
  const TempFolder dir;
  write_busy_clip(dir, {"avc1", "clip.mp4"});
  remux(dir / "clip.mp4", dir / "fragments.mp4", {.movflags = "frag_keyframe+empty_moov"});
  const Read sut = read_film(dir / "fragments.mp4");
  EXPECT_EQ(sut.frames.size(), static_cast<std::size_t>(kFrames));
  EXPECT_EQ(sut.fault, "");
}

TEST(VideoReadTest, FramesShownLongerAreNoDamage) {  // an AVI has empty chunks for them
  const TempFolder dir;
  write_busy_clip(dir, kMjpeg);
  remux(dir / kMjpeg.name, dir / "slow.avi",
        {.packet = [](AVPacket& packet, int number) { packet.pts = packet.dts = std::int64_t{number} * 3; }});
  const Read sut = read_film(dir / "slow.avi");
  EXPECT_EQ(sut.frames.size(), static_cast<std::size_t>(kFrames));
  EXPECT_EQ(sut.fault, "");
}

TEST(VideoReadTest, FilmOfATurnedCameraIsUpright) {
  const TempFolder dir;
  write_busy_clip(dir, kMpeg4);
  const Texts lying = read_film(dir / kMpeg4.name).frames;
  struct Case {
    double angle;
    int rotation;
  };
  for (const Case& turned :
       {Case{90, cv::ROTATE_90_CLOCKWISE}, Case{180, cv::ROTATE_180}, Case{-90, cv::ROTATE_90_COUNTERCLOCKWISE}}) {
    remux(dir / kMpeg4.name, dir / "turned.mp4", {.stream = [&](AVStream& stream) {
            auto* matrix = reinterpret_cast<std::int32_t*>(
                av_stream_new_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, 9 * sizeof(std::int32_t)));
            av_display_rotation_set(matrix, turned.angle);
          }});
    const Read sut = read_film(dir / "turned.mp4");
    ASSERT_EQ(sut.frames.size(), lying.size()) << turned.angle;
    cv::Mat expected;
    cv::rotate(ImageView(bytes_of(lying[3])).image(), expected, turned.rotation);
    EXPECT_TRUE(same(ImageView(bytes_of(sut.frames[3])).image(), expected)) << turned.angle;
  }
}

TEST(VideoReadTest, FramesOfAnotherSizeInTheMiddleKeepTheirSize) {
  const TempFolder dir;
  std::string film;
  const std::vector<cv::Size> sizes{{80, 60}, {80, 60}, {41, 33}, {160, 120}, {80, 60}};
  auto encode = make_stage("image.encode");
  for (const cv::Size& size : sizes) {
    film += single(*encode, image_item({busy_scene(1, size)}));
  }
  const Read sut = read_film(dir.write("film.mjpeg", film));
  ASSERT_EQ(sut.frames.size(), sizes.size());
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    EXPECT_EQ(ImageView(bytes_of(sut.frames[i])).image().size(), sizes[i]) << i;
  }
}

TEST(VideoReadTest, WhatIsNoFileIsNamed) {
  const TempFolder dir;
  EXPECT_NE(message_of([&] {
              make_stage("video.read", {{"path", dir.path().string()}});
            }).find("no regular file"),
            std::string::npos);
  EXPECT_NE(message_of([&] {
              make_stage("video.read", {{"path", dir.write("empty.avi", "")}});
            }).find("cannot open"),
            std::string::npos);
}

TEST(VideoReadTest, FrameThatIsTooLargeIsPassedByOnce) {
  const TempFolder dir;
  write_busy_clip(dir, kMjpeg);
  auto sut = make_stage("video.read", {{"path", dir / kMjpeg.name}});
  CollectingOutput small(1000);
  EXPECT_THROW(sut->produce(small), ItemTooLarge);
  auto next = make_stage("video.read", {{"path", dir / kMjpeg.name}});
  restart_from(*next, saved_cursor(*sut));
  EXPECT_EQ(run_source(*next).size(), static_cast<std::size_t>(kFrames - 1));
}

TEST(VideoReadTest, DamageBehindTheLimitIsNotRead) {
  const TempFolder dir;
  std::string damaged = write_busy_clip(dir, kMjpeg);
  std::memset(&damaged[avi_frame(damaged, 30)], 0, 700);
  const std::string path = dir.write("damaged.avi", damaged);
  EXPECT_EQ(run_source(*make_stage("video.read", {{"path", path}, {"frames", 30}})).size(), 30U);
}

// ---- video.write ----

/// Feeds noise, which no codec makes small, until it has `count` frames; how many were refused.
int refused_of(Hosted& sink, int count, std::set<std::string>& messages) {
  CollectingOutput unused;
  int refused = 0;
  for (int i = 0; i < count; ++i) {
    const std::string message = message_of([&] { feed(sink, image_item({noise(120, 160, CV_8UC3, i + 1)}), unused); });
    if (!message.empty()) {
      messages.insert(message);
      ++refused;
    }
  }
  return refused;
}

/// Frames are refused from the one on that does not fit, and the end is an error too.
void expect_full(const std::string& path, const std::string& codec, const std::string& reason) {
  auto sut = make_stage("video.write", {{"path", path}, {"codec", codec}});
  std::set<std::string> messages;
  const int refused = refused_of(*sut, 150, messages);
  const std::string at_commit = message_of([&] { sut->flush(); });
  EXPECT_NE(at_commit.find(reason), std::string::npos) << codec << ": " << at_commit;
  const std::string at_end = message_of([&] { sut->cleanup(); });
  EXPECT_GT(refused, 0) << path << codec;
  ASSERT_FALSE(messages.empty());
  for (const std::string& message : messages) {
    EXPECT_NE(message.find(path), std::string::npos) << message;
    EXPECT_NE(message.find(reason), std::string::npos) << message;
  }
  EXPECT_NE(at_end.find(reason), std::string::npos) << codec << ": " << at_end;
}

TEST(VideoWriteTest, FullDiskRefusesFrames) {
  const TempFolder dir;
  std::filesystem::create_symlink("/dev/full", dir / "full.avi");
  expect_full(dir / "full.avi", "MJPG", "No space left on device");
}

TEST(VideoWriteTest, FileSizeLimitRefusesFrames) {
  const TempFolder dir;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 200'000, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  expect_full(dir / "out.avi", "MJPG", "File too large");
  expect_full(dir / "out.mp4", "mp4v", "File too large");
  expect_full(dir / "out.mkv", "FFV1", "File too large");
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
}

TEST(VideoWriteTest, SmallFileSystemKeepsWhatFittedReadable) {
  const TempFolder dir;
  const std::string disk = dir / "disk";
  std::filesystem::create_directory(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=400k") != 0) {
    GTEST_SKIP() << "needs the right to mount a small tmpfs: " << std::strerror(errno);
  }
  expect_full(disk + "/out.avi", "MJPG", "No space left on device");
  const Read read = read_film(disk + "/out.avi");
  EXPECT_GT(read.frames.size(), 10U);
  EXPECT_NE(read.fault, "") << "the file is cut off";
  EXPECT_EQ(::umount(disk.c_str()), 0);
}

TEST(VideoWriteTest, DiskThatIsFullOnlyAtTheEndFailsTheEnd) {
  const TempFolder dir;
  auto sut = make_stage("video.write", {{"path", dir / "out.avi"}});
  CollectingOutput unused;
  for (int i = 0; i < 10; ++i) {
    feed(*sut, image_item({busy_scene(i)}), unused);
  }
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit full{.rlim_cur = std::filesystem::file_size(dir / "out.avi"), .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
  const std::string message = message_of([&] { sut->cleanup(); });
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(message.find("cannot complete " + (dir / "out.avi") + ": File too large"), std::string::npos) << message;
}

TEST(VideoWriteTest, EveryFrameIsThereWhateverTheCodecKeepsBack) {
  for (const Clip& clip : {Clip{"avc1", "out.mp4"}, Clip{"avc1", "out.mkv"}, Clip{"mp4v", "out.avi"},
                           Clip{"FFV1", "out.avi"}, Clip{"MJPG", "out.mov"}}) {
    const TempFolder dir;
    write_busy_clip(dir, clip);
    const Read sut = read_film(dir / clip.name);
    EXPECT_EQ(sut.frames.size(), static_cast<std::size_t>(kFrames)) << clip.codec << clip.name;
    EXPECT_EQ(sut.fault, "") << clip.codec << clip.name;
  }
}

TEST(VideoWriteTest, OddSizesStayOddOrAreRefused) {
  const cv::Mat odd = busy_scene(0, {81, 61});
  for (const Clip& clip : {Clip{"MJPG", "out.avi"}, Clip{"mp4v", "out.mp4"}, Clip{"FFV1", "out.mkv"}}) {
    const TempFolder dir;
    auto sut = make_stage("video.write", {{"path", dir / clip.name}, {"codec", clip.codec}});
    CollectingOutput unused;
    feed(*sut, image_item({odd}), unused);
    sut->cleanup();
    const Read read = read_film(dir / clip.name);
    ASSERT_EQ(read.frames.size(), 1U) << clip.codec;
    EXPECT_EQ(ImageView(bytes_of(read.frames[0])).image().size(), odd.size()) << clip.codec;
  }
  if (kSanitized) {
    GTEST_SKIP() << "libx264 leaks memory where it refuses a size";
  }
  const TempFolder dir;
  auto sut = make_stage("video.write", {{"path", dir / "out.mp4"}, {"codec", "avc1"}});
  CollectingOutput unused;
  const std::string message = message_of([&] { feed(*sut, image_item({odd}), unused); });
  EXPECT_NE(message.find("81x61"), std::string::npos) << message;
  EXPECT_NE(message.find("not divisible by 2"), std::string::npos) << message;
}

TEST(VideoWriteTest, GrayFramesAreWritten) {
  const TempFolder dir;
  auto sut = make_stage("video.write", {{"path", dir / "out.avi"}});
  CollectingOutput unused;
  const cv::Mat gray(60, 80, CV_8UC1, cv::Scalar(120));
  feed(*sut, image_item({gray}), unused);
  sut->cleanup();
  const Read read = read_film(dir / "out.avi");
  ASSERT_EQ(read.frames.size(), 1U);
  EXPECT_LT(cv::norm(ImageView(bytes_of(read.frames[0])).image(), cv::Mat(60, 80, CV_8UC3, cv::Scalar::all(120)),
                     cv::NORM_INF),
            4);
}

TEST(VideoWriteTest, CodecsAndFilesThatCannotBeAreNamed) {
  const TempFolder dir;
  struct Case {
    Clip clip;
    const char* message;
  };
  for (const Case& sut :
       {Case{{"QQQQ", "out.avi"}, "has no encoder for codec \"QQQQ\""},
        Case{{"MJPG", "out.txt"}, "does not end like a video file's"},
        Case{{"MJPG", "out.jpg"}, "does not end like a video file's"},
        Case{{"MJPG", "out"}, "does not end like a video file's"}, Case{{"FFV1", "out.mp4"}, "out.mp4"}}) {
    auto sink = make_stage("video.write", {{"path", dir / sut.clip.name}, {"codec", sut.clip.codec}});
    CollectingOutput unused;
    const std::string message = message_of([&] { feed(*sink, image_item({busy_scene(0)}), unused); });
    EXPECT_NE(message.find(sut.message), std::string::npos) << sut.clip.name << ": " << message;
    EXPECT_NE(message.find("video.write: "), std::string::npos) << message;
    EXPECT_EQ(message_of([&] { sink->flush(); }), message) << "the run fails";
  }
}

TEST(VideoWriteTest, PathThatCannotBeCreatedIsNamed) {
  const TempFolder dir;
  std::filesystem::create_directory(dir / "out.avi");
  auto sink = make_stage("video.write", {{"path", dir / "out.avi"}});
  CollectingOutput unused;
  const std::string message = message_of([&] { feed(*sink, image_item({busy_scene(0)}), unused); });
  EXPECT_NE(message.find("cannot create " + (dir / "out.avi") + ": Is a directory"), std::string::npos) << message;
}

TEST(VideoWriteTest, FrameOfAnotherKindIsItsOwnFaultOnly) {
  const TempFolder dir;
  auto sut = make_stage("video.write", {{"path", dir / "out.avi"}});
  CollectingOutput unused;
  feed(*sut, image_item({scene(0)}), unused);
  for (const cv::Mat& other : {noise(61, 80, CV_8UC3), noise(60, 80, CV_8UC1), noise(60, 80, CV_8UC4),
                               noise(60, 80, CV_16UC3), noise(80, 60, CV_8UC3)}) {
    EXPECT_THROW(feed(*sut, image_item({other}), unused), PayloadError);
  }
  feed(*sut, image_item({scene(1)}), unused);
  sut->flush();
  sut->cleanup();
  EXPECT_EQ(read_film(dir / "out.avi").frames.size(), 2U);
}

TEST(VideoWriteTest, FramesThatARestartLosesAreCounted) {
  const TempFolder dir;
  CollectingOutput unused;
  auto first = make_stage("video.write", {{"path", dir / "out.mp4"}, {"codec", "mp4v"}});
  for (int i = 0; i < 7; ++i) {
    feed(*first, image_item({scene(i)}), unused);
  }
  const std::string cursor = saved_cursor(*first);  // and no cleanup(): an MP4 file without its index
  auto sut = make_stage("video.write", {{"path", dir / "out.mp4"}, {"codec", "mp4v"}});
  ::testing::internal::CaptureStderr();
  restart_from(*sut, cursor);
  const std::string told = ::testing::internal::GetCapturedStderr();
  EXPECT_TRUE(told.find("lost: video.write: 7 of the frames written to " + (dir / "out.mp4")) != std::string::npos)
      << told;
}

/// What stands beside the film may be an input of the same run.
TEST(VideoWriteTest, RestartWritesOverNoFileThatWasThere) {
  const TempFolder dir;
  write_file(dir / "out.2.avi", "the user's");
  write_file(dir / "out.11.avi", "the user's");
  write_file(dir / "out.best.avi", "the user's");
  CollectingOutput unused;
  auto first = make_stage("video.write", {{"path", dir / "out.avi"}});
  first->start();
  feed(*first, image_item({scene(0)}), unused);
  std::string cursor = saved_cursor(*first);
  first->cleanup();
  for (const std::string part : {"out.12.avi", "out.13.avi"}) {
    auto sut = make_stage("video.write", {{"path", dir / "out.avi"}});
    restart_from(*sut, cursor);
    feed(*sut, image_item({scene(1)}), unused);
    cursor = saved_cursor(*sut);
    sut->cleanup();
    EXPECT_EQ(run_source(*make_stage("video.read", {{"path", dir / part}})).size(), 1U) << part;
  }
  for (const char* name : {"out.2.avi", "out.11.avi", "out.best.avi"}) {
    EXPECT_EQ(read_file(dir / name), "the user's") << name;
  }
}

TEST(VideoWriteTest, RestartBeginsAnotherFile) {
  const TempFolder dir;
  CollectingOutput unused;
  auto first = make_stage("video.write", {{"path", dir / "out.avi"}});
  feed(*first, image_item({scene(0)}), unused);
  const std::string cursor = saved_cursor(*first);
  first->cleanup();
  auto sut = make_stage("video.write", {{"path", dir / "out.avi"}});
  restart_from(*sut, cursor);
  feed(*sut, image_item({scene(1)}), unused);
  sut->cleanup();
  EXPECT_EQ(run_source(*make_stage("video.read", {{"path", dir / "out.avi"}})).size(), 1U);
  EXPECT_EQ(run_source(*make_stage("video.read", {{"path", dir / "out.2.avi"}})).size(), 1U);
}

TEST(VideoWriteTest, FramesMustBeAlike) {
  const TempFolder dir;
  CollectingOutput unused;
  auto sut = make_stage("video.write", {{"path", dir / "out.avi"}});
  feed(*sut, image_item({scene(0)}), unused);
  EXPECT_THROW(feed(*sut, image_item({noise(10, 10, CV_8UC3)}), unused), PayloadError);
  EXPECT_THROW(feed(*sut, image_item({noise(60, 80, CV_8UC1)}), unused), PayloadError);
}

TEST(VideoWriteTest, BadParametersAreRefused) {
  EXPECT_THROW(make_stage("video.write", {{"path", "/nowhere/out.avi"}}), Error);
  EXPECT_THROW(make_stage("video.write", {{"path", "out.avi"}, {"codec", "MJPEG"}}), InvalidParam);
}

}  // namespace
}  // namespace pystream::test
