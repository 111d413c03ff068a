extern "C" {
#include <libavutil/display.h>
}

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <set>

#include "support/sanitized.hpp"
#include "workers/film_remux.hpp"
#include "workers/films.hpp"

namespace pystream::test {
namespace {

using opencv::ImageView;

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
  EXPECT_THROW(sut->source()->produce(small), ItemTooLarge);
  auto next = make_stage("video.read", {{"path", dir / kMjpeg.name}});
  restart_from(*next, saved_cursor(*sut));
  EXPECT_EQ(run_source(*next).size(), static_cast<std::size_t>(kFrames - 1));
}

// ---- video.write ----

/// Feeds noise, which no codec makes small, until it has `count` frames; how many were refused.
int refused_of(StageAdapter& sink, int count, std::set<std::string>& messages) {
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
  const std::string at_commit = message_of([&] { sut->sink()->flush(); });
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
    EXPECT_EQ(message_of([&] { sink->sink()->flush(); }), message) << "the run fails";
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
  sut->sink()->flush();
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
  const TempFolder dir;
  ASSERT_EQ(::mkfifo((dir / "fifo.avi").c_str(), 0600), 0);
  EXPECT_THROW(make_stage("video.write", {{"path", dir / "fifo.avi"}}), Error) << "opening it would wait for a reader";
}

}  // namespace
}  // namespace pystream::test
