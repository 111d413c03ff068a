#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <numeric>
#include <set>
#include <thread>

#include "core/descriptor.hpp"
#include "support/temp_folder.hpp"
#include "workers/source_items.hpp"

namespace pystream::test {
namespace {

// ---- lines ----

struct LinesCase {
  std::string content;
  Texts lines;
};

TEST(LinesTest, SplitsAtNewlinesOnly) {
  const std::vector<LinesCase> cases{
      {"", {}},
      {"\n", {""}},
      {"a", {"a"}},
      {"a\n", {"a"}},
      {"a\nb", {"a", "b"}},
      {"a\r\nb\n", {"a\r", "b"}},
      {"\n\nx\n\n", {"", "", "x", ""}},
      {std::string("\0\n\0", 3), {std::string(1, '\0'), std::string(1, '\0')}},
  };
  const TempFolder dir;
  for (const LinesCase& example : cases) {
    write_file(dir / "in.txt", example.content);
    auto sut = make_stage("lines", fixed_path(dir / "in.txt"));
    EXPECT_EQ(run_source(*sut), example.lines) << "for: " << example.content;
  }
}

TEST(LinesTest, ReadsLinesLongerThanItsBuffer) {
  const TempFolder dir;
  const Texts lines{std::string(300'000, 'x'), "short", std::string(65'536, 'y'), std::string(1'000'000, 'z')};
  std::string content;
  for (const std::string& line : lines) {
    content += line + "\n";
  }
  write_file(dir / "in.txt", content);
  auto sut = make_stage("lines", fixed_path(dir / "in.txt"));
  EXPECT_EQ(run_source(*sut), lines);
}

TEST(LinesTest, ResumeGoesOnAtTheCommittedLine) {
  const TempFolder dir;
  write_file(dir / "in.txt", "one\n\nthree\nfour\nlast without newline");
  expect_resume_at_every_item("lines", fixed_path(dir / "in.txt"));
}

TEST(LinesTest, TooLongLineIsAnErrorAndTheNextLineFollows) {
  const TempFolder dir;
  write_file(dir / "in.txt", "a\n" + std::string(200'000, 'x') + "\nb\n");
  auto sut = make_stage("lines", {{"path", dir / "in.txt"}, {"max_line", 10}});
  CollectingOutput out;
  ASSERT_TRUE(sut->source()->produce(out));
  const std::string message = message_of([&] { sut->source()->produce(out); });
  EXPECT_NE(message.find("longer than 10 bytes"), message.npos) << message;
  EXPECT_NE(message.find("at byte 2"), message.npos) << message;
  EXPECT_TRUE(sut->source()->produce(out));
  EXPECT_FALSE(sut->source()->produce(out));
  EXPECT_EQ(out.texts(), (Texts{"a", "b"}));
}

TEST(LinesTest, ItemTooLargeForTheLinkIsSkippedByTheNextCall) {
  const TempFolder dir;
  write_file(dir / "in.txt", "12345678\nb\n");
  auto sut = make_stage("lines", fixed_path(dir / "in.txt"));
  CollectingOutput out(4);
  EXPECT_THROW(sut->source()->produce(out), ItemTooLarge);
  EXPECT_TRUE(sut->source()->produce(out));
  EXPECT_EQ(out.texts(), Texts{"b"});
}

TEST(LinesTest, MissingFileIsNamedWithAdvice) {
  const std::string message = message_of([] { make_stage("lines", fixed_path("/nowhere/in.txt")); });
  EXPECT_NE(message.find("lines: cannot open /nowhere/in.txt: No such file or directory; \"path\" must"), message.npos)
      << message;
}

TEST(LinesTest, DirectoryIsRefused) {
  const TempFolder dir;
  const std::string message = message_of([&] { make_stage("lines", fixed_path(dir.path())); });
  EXPECT_NE(message.find("is a directory"), message.npos) << message;
}

TEST(LinesTest, FileCutShorterThanTheCursorIsAnError) {
  const TempFolder dir;
  write_file(dir / "in.txt", "one\ntwo\n");
  auto first = make_stage("lines", fixed_path(dir / "in.txt"));
  run_source(*first);
  const std::string cursor = saved_cursor(*first);
  write_file(dir / "in.txt", "one\n");
  auto sut = make_stage("lines", fixed_path(dir / "in.txt"));
  const std::string message = message_of([&] { restart_from(*sut, cursor); });
  EXPECT_NE(message.find("has 4 bytes, but 8 were read"), message.npos) << message;
}

TEST(LinesTest, FifoIsReadAsItIsWritten) {
  const TempFolder dir;
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  auto sut = make_stage("lines", fixed_path(dir / "fifo"));
  std::jthread writer([&] {
    const core::Descriptor fd(::open((dir / "fifo").c_str(), O_WRONLY));
    for (const std::string_view piece : {"o", "ne\ntw", "o\n", "three"}) {
      ASSERT_EQ(::write(fd.get(), piece.data(), piece.size()), static_cast<ssize_t>(piece.size()));
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  EXPECT_EQ(run_source(*sut), (Texts{"one", "two", "three"}));
}

TEST(LinesTest, SignalWhileWaitingReturnsWithoutAnItem) {
  const TempFolder dir;
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  auto sut = make_stage("lines", fixed_path(dir / "fifo"));
  const core::Descriptor writer(::open((dir / "fifo").c_str(), O_RDWR));
  struct sigaction action {};
  action.sa_handler = [](int) {};
  ::sigaction(SIGUSR1, &action, nullptr);
  const pthread_t reader = ::pthread_self();
  std::atomic<bool> done{false};
  std::jthread poker([&] {
    while (!done) {
      ::pthread_kill(reader, SIGUSR1);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  });
  CollectingOutput out;
  EXPECT_TRUE(sut->source()->produce(out));
  EXPECT_TRUE(out.items().empty());
  done = true;
}

TEST(LinesTest, RestartOnAPipeOfWhichAllIsCommittedLosesNothing) {
  const TempFolder dir;
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  const core::Descriptor writer(::open((dir / "fifo").c_str(), O_RDWR));
  ASSERT_EQ(::write(writer.get(), "a\nb\n", 4), 4);
  auto first = make_stage("lines", fixed_path(dir / "fifo"));
  EXPECT_EQ(run_source(*first, 2), (Texts{"a", "b"}));
  const std::string cursor = saved_cursor(*first);
  first.reset();
  auto sut = make_stage("lines", fixed_path(dir / "fifo"));
  ::testing::internal::CaptureStderr();
  restart_from(*sut, cursor);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

/// Whatever a read error does, it is not the end of the file.
TEST(LinesTest, AReadErrorComesAgainAndIsNotTheEnd) {
  auto sut = make_stage("lines", fixed_path("/proc/self/mem"));  // there is nothing at address 0
  CollectingOutput out;
  for (int i = 0; i < 3; ++i) {
    EXPECT_NE(message_of([&] { sut->source()->produce(out); }).find("Input/output error"), std::string::npos);
  }
}

TEST(LinesTest, RestartOnAPipeCountsTheLossAndGoesOn) {
  const TempFolder dir;
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  const core::Descriptor writer(::open((dir / "fifo").c_str(), O_RDWR));
  ASSERT_EQ(::write(writer.get(), "a\nb\n", 4), 4);
  auto first = make_stage("lines", fixed_path(dir / "fifo"));
  EXPECT_EQ(run_source(*first, 1), Texts{"a"});
  const std::string cursor = saved_cursor(*first);
  first.reset();
  auto sut = make_stage("lines", fixed_path(dir / "fifo"));
  ::testing::internal::CaptureStderr();
  restart_from(*sut, cursor);
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("after byte 2 and not committed is lost"), std::string::npos);
  ASSERT_EQ(::write(writer.get(), "c\n", 2), 2);
  EXPECT_EQ(run_source(*sut, 1), Texts{"c"});
}

TEST(LinesTest, FileThatIsCutWhileItIsReadIsAnError) {
  const TempFolder dir;
  std::string content;
  for (int i = 0; i < 100'000; ++i) {
    content += "a line\n";
  }
  write_file(dir / "in", content);
  for (const char* type : {"lines", "frames"}) {
    std::filesystem::resize_file(dir / "in", 0);
    write_file(dir / "in", content);
    auto sut = make_stage(
        type, type == std::string("lines") ? fixed_path(dir / "in") : ParamMap{{"path", dir / "in"}, {"bytes", 7}});
    CollectingOutput out;
    ASSERT_TRUE(sut->source()->produce(out));
    std::filesystem::resize_file(dir / "in", 350'000);
    const std::string message = message_of([&] {
      while (sut->source()->produce(out)) {
      }
    });
    EXPECT_NE(message.find("in was cut while it was read: found 350000 bytes, expected 700000"), message.npos)
        << type << message;
    EXPECT_EQ(out.items().size(), 50'000U) << "what was there comes out";
  }
}

TEST(LinesTest, FileThatGrowsIsReadToItsEnd) {
  const TempFolder dir;
  write_file(dir / "in", "one\n");
  auto sut = make_stage("lines", fixed_path(dir / "in"));
  write_file(dir / "in", "one\ntwo\n");
  EXPECT_EQ(run_source(*sut), (Texts{"one", "two"}));
}

TEST(LinesTest, InheritedDescriptorIsReadWhereItStands) {
  const TempFolder dir;
  write_file(dir / "in", "one\ntwo\n");
  const core::Descriptor file(::open((dir / "in").c_str(), O_RDONLY));
  ASSERT_EQ(::lseek(file.get(), 4, SEEK_SET), 4);
  EXPECT_EQ(run_source(*make_stage("lines", fixed_path("/dev/fd/" + std::to_string(file.get())))), Texts{"two"});
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const core::Descriptor reading(ends[0]);
  {
    const core::Descriptor writing(ends[1]);
    ASSERT_EQ(::write(writing.get(), "x\ny\n", 4), 4);
  }
  EXPECT_EQ(run_source(*make_stage("lines", fixed_path("/proc/self/fd/" + std::to_string(reading.get())))),
            (Texts{"x", "y"}));
}

// ---- frames ----

TEST(FramesTest, CutsEqualFrames) {
  const TempFolder dir;
  write_file(dir / "in.raw", "aabbcc");
  EXPECT_EQ(run_source(*make_stage("frames", {{"path", dir / "in.raw"}, {"bytes", 2}})), (Texts{"aa", "bb", "cc"}));
  EXPECT_EQ(run_source(*make_stage("frames", {{"path", dir / "in.raw"}, {"bytes", 1}})).size(), 6U);
}

TEST(FramesTest, EmptyFileGivesNothing) {
  const TempFolder dir;
  write_file(dir / "in.raw", "");
  EXPECT_EQ(run_source(*make_stage("frames", {{"path", dir / "in.raw"}, {"bytes", 2}})), Texts{});
}

TEST(FramesTest, PartialLastFrameSaysHowManyBytesAreLeft) {
  const TempFolder dir;
  write_file(dir / "in.raw", "aaaabbbbccc");
  auto sut = make_stage("frames", {{"path", dir / "in.raw"}, {"bytes", 4}});
  CollectingOutput out;
  EXPECT_TRUE(sut->source()->produce(out));
  EXPECT_TRUE(sut->source()->produce(out));
  const std::string message = message_of([&] { sut->source()->produce(out); });
  EXPECT_NE(message.find("3 bytes left over at byte 8, fewer than a frame of 4 bytes"), message.npos) << message;
  EXPECT_FALSE(sut->source()->produce(out));
  EXPECT_EQ(out.items().size(), 2U);
}

TEST(FramesTest, FrameTooLargeForTheLinkEndsTheSource) {
  const TempFolder dir;
  write_file(dir / "in.raw", "aaaabbbb");
  auto sut = make_stage("frames", {{"path", dir / "in.raw"}, {"bytes", 4}});
  CollectingOutput out(3);
  EXPECT_THROW(sut->source()->produce(out), ItemTooLarge);
  EXPECT_THROW(sut->source()->produce(out), ItemTooLarge) << "each frame by itself, as on_error decides about each";
  EXPECT_FALSE(sut->source()->produce(out));
}

TEST(FramesTest, PipeIsReadAcrossPieces) {
  const TempFolder dir;
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  auto sut = make_stage("frames", {{"path", dir / "fifo"}, {"bytes", 3}});
  std::jthread writer([&] {
    const core::Descriptor fd(::open((dir / "fifo").c_str(), O_WRONLY));
    for (const std::string_view piece : {"1", "1122", "2333"}) {
      ASSERT_EQ(::write(fd.get(), piece.data(), piece.size()), static_cast<ssize_t>(piece.size()));
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  EXPECT_EQ(run_source(*sut), (Texts{"111", "222", "333"}));
}

TEST(FramesTest, ResumeGoesOnAtTheCommittedFrame) {
  const TempFolder dir;
  write_file(dir / "in.raw", "aabbccdd");
  expect_resume_at_every_item("frames", {{"path", dir / "in.raw"}, {"bytes", 2}});
}

TEST(FramesTest, SizeZeroIsRefused) {
  EXPECT_THROW(make_stage("frames", {{"path", "/dev/null"}, {"bytes", 0}}), InvalidParam);
}

// ---- generate ----

TEST(GenerateTest, CounterStartsEveryItem) {
  auto sut = make_stage("generate", {{"count", 3}, {"size", 20}});
  const Texts items = run_source(*sut);
  ASSERT_EQ(items.size(), 3U);
  for (std::uint64_t i = 0; i < items.size(); ++i) {
    std::uint64_t index = 0;
    std::memcpy(&index, items[i].data(), sizeof index);
    EXPECT_EQ(index, i);
    EXPECT_EQ(items[i].size(), 20U);
  }
}

TEST(GenerateTest, SameSeedGivesTheSameItems) {
  const auto items_with = [](int seed) {
    return run_source(*make_stage("generate", {{"count", 50}, {"size", 1}, {"max_size", 1000}, {"seed", seed}}));
  };
  EXPECT_EQ(items_with(7), items_with(7));
  EXPECT_NE(items_with(7), items_with(8));
}

TEST(GenerateTest, SizesCoverTheRange) {
  std::set<std::size_t> sizes;
  for (const std::string& item : run_source(*make_stage("generate", {{"count", 500}, {"size", 3}, {"max_size", 9}}))) {
    sizes.insert(item.size());
  }
  EXPECT_EQ(sizes, (std::set<std::size_t>{3, 4, 5, 6, 7, 8, 9}));
}

TEST(GenerateTest, SizeZeroGivesEmptyItems) {
  EXPECT_EQ(run_source(*make_stage("generate", {{"count", 2}, {"size", 0}})), (Texts{"", ""}));
}

TEST(GenerateTest, ZerosAreZeros) {
  EXPECT_EQ(run_source(*make_stage("generate", {{"count", 1}, {"size", 5}, {"pattern", "zeros"}})),
            Texts{std::string(5, '\0')});
}

TEST(GenerateTest, CountZeroHasNoEnd) {
  EXPECT_EQ(run_source(*make_stage("generate"), 5'000).size(), 5'000U);
}

TEST(GenerateTest, ResumeGivesTheSameItems) {
  expect_resume_at_every_item("generate", {{"count", 12}, {"size", 4}, {"max_size", 40}});
}

TEST(GenerateTest, PeriodSpacesItems) {
  auto sut = make_stage("generate", {{"count", 4}, {"period", 10'000'000}});
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(run_source(*sut).size(), 4U);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(29));
}

TEST(SourceDescriptionTest, EverySourceSaysWhatItGives) {
  EXPECT_EQ(stage_type("lines").info.output, "string");
  for (const char* name : {"files", "frames", "generate"}) {
    EXPECT_EQ(stage_type(name).info.output, "bytes") << name;
    EXPECT_EQ(stage_type(name).kind, StageKind::source) << name;
    EXPECT_FALSE(stage_type(name).info.summary.empty()) << name;
    EXPECT_GT(stage_type(name).cursor_bytes, 0U) << name;
  }
}

}  // namespace
}  // namespace pystream::test
