#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>

#include "core/descriptor.hpp"
#include "support/temp_folder.hpp"
#include "workers/sink_items.hpp"

namespace pystream::test {
namespace {

std::size_t files_in(const std::string& directory) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(directory), {}));
}

// ---- file_writer, one file ----

TEST(FileWriterTest, PutsItemsOneAfterAnother) {
  const TempFolder dir;
  auto sut = started("file_writer", {{"path", dir / "out.bin"}});
  consume_all(*sut, {"ab", "", "c"});
  sut->sink()->flush();
  EXPECT_EQ(read_file(dir / "out.bin"), "abc");
}

TEST(FileWriterTest, NewlineAutoGoesByWhatIsKnown) {
  struct Case {
    const char* name;
    const char* newline;
    const char* item_type;
    const char* content;
  };
  const std::vector<Case> cases{
      {"out.txt", "auto", "", "ab"},           {"out.bin", "auto", "", "ab"},
      {"out.log", "never", "string", "ab"},    {"out.bin", "always", "", "a\nb\n"},
      {"out.txt", "auto", "bytes", "ab"},      {"out", "auto", "string", "a\nb\n"},
      {"out.tsv", "auto", "string", "a\nb\n"}, {"out.png", "auto", "string", "a\nb\n"},
      {"out.csv", "auto", "any", "ab"},
  };
  const TempFolder dir;
  for (const Case& example : cases) {
    auto sut = started("file_writer",
                       {{"path", dir / example.name}, {"newline", example.newline}, {"item_type", example.item_type}});
    consume_all(*sut, {"a", "b"});
    sut->cleanup();
    EXPECT_EQ(read_file(dir / example.name), example.content) << example.name << " " << example.newline;
  }
}

TEST(FileWriterTest, FirstStartReplacesAnOldFile) {
  const TempFolder dir;
  write_file(dir / "out.bin", "something long from before");
  auto sut = make_stage("file_writer", {{"path", dir / "out.bin"}});
  EXPECT_EQ(read_file(dir / "out.bin"), "something long from before") << "only a started pipeline replaces it";
  sut->start();
  consume(*sut, "new");
  sut->sink()->flush();
  EXPECT_EQ(read_file(dir / "out.bin"), "new");
}

TEST(FileWriterTest, RunWithoutItemsLeavesAnEmptyFile) {
  const TempFolder dir;
  write_file(dir / "out.bin", "old");
  started("file_writer", {{"path", dir / "out.bin"}})->cleanup();
  EXPECT_EQ(read_file(dir / "out.bin"), "");
}

TEST(FileWriterTest, LargeAndSmallItemsKeepTheirOrder) {
  const TempFolder dir;
  std::string expected;
  auto sut = started("file_writer", {{"path", dir / "out.txt"}, {"item_type", "string"}});
  for (const std::size_t size : {1U, 300'000U, 0U, 262'143U, 262'144U, 100'000U, 5'000'000U, 3U}) {
    const std::string item(size, static_cast<char>('a' + size % 26));
    expected += item + "\n";
    consume(*sut, item);
  }
  sut->sink()->flush();
  EXPECT_TRUE(read_file(dir / "out.txt") == expected);
}

TEST(FileWriterTest, ResumeTruncatesToCursor) {
  const std::vector<std::string> items{"one", std::string(300'000, '2'), "", "four", std::string(1'000, '5')};
  for (std::size_t committed = 0; committed <= items.size(); ++committed) {
    const TempFolder dir;
    const ParamMap params{{"path", dir / "out.txt"}, {"item_type", "string"}};
    std::string cursor(stage_type("file_writer").cursor_bytes, '\0');
    {
      auto dead = started("file_writer", params);
      consume_all(*dead, {items.begin(), items.begin() + static_cast<std::ptrdiff_t>(committed)});
      if (committed > 0) {
        dead->sink()->flush();
        cursor = saved_cursor(*dead);
      }
      // Written and flushed, but the process dies before the commit.
      consume(*dead, "not committed");
      consume(*dead, std::string(400'000, 'x'));
      dead->sink()->flush();
    }
    auto sut = make_stage("file_writer", params);
    restart_from(*sut, cursor);
    consume_all(*sut, {items.begin() + static_cast<std::ptrdiff_t>(committed), items.end()});
    sut->sink()->flush();
    std::string expected;
    for (const std::string& item : items) {
      expected += item + "\n";
    }
    ASSERT_TRUE(read_file(dir / "out.txt") == expected) << "committed " << committed;
  }
}

TEST(FileWriterTest, ResumeOnAFileCutByOthersIsAnError) {
  const TempFolder dir;
  auto first = started("file_writer", {{"path", dir / "out.bin"}});
  consume(*first, "12345678");
  first->sink()->flush();
  const std::string cursor = saved_cursor(*first);
  std::filesystem::resize_file(dir / "out.bin", 3);
  auto sut = make_stage("file_writer", {{"path", dir / "out.bin"}});
  const std::string message = message_of([&] { restart_from(*sut, cursor); });
  EXPECT_NE(message.find("has 3 bytes, but 8 had been written"), message.npos) << message;
}

TEST(FileWriterTest, ResumeOnAnotherFileThanBeforeLeavesItAsItIs) {
  namespace fs = std::filesystem;
  const std::string foreign = "a foreign file that is longer";
  for (const char* how : {"renamed", "removed", "linked", "early"}) {
    const TempFolder dir;
    const std::string path = dir / "out";
    auto first = started("file_writer", {{"path", path}});
    consume(*first, std::string(how) == "early" ? "" : "ours");
    first->sink()->flush();
    const std::string cursor = saved_cursor(*first);
    consume(*first, "not committed");
    first->sink()->flush();
    write_file(dir / "foreign", foreign);
    if (std::string(how) == "renamed") {
      fs::rename(path, dir / "moved");
    } else {
      fs::remove(path);
    }
    if (std::string(how) == "linked") {
      fs::create_symlink("foreign", path);
    } else {
      fs::rename(dir / "foreign", path);
    }
    auto sut = make_stage("file_writer", {{"path", path}});
    const std::string message = message_of([&] { restart_from(*sut, cursor); });
    EXPECT_NE(message.find(path + " is not the file that was written before the restart"), message.npos) << message;
    sut.reset();
    EXPECT_EQ(read_file(path), foreign) << how;
  }
}

TEST(FileWriterTest, ResumeOnAFifoInThePlaceOfTheFileIsAnError) {
  const TempFolder dir;
  auto first = started("file_writer", {{"path", dir / "out"}});
  consume(*first, "ours");
  first->sink()->flush();
  const std::string cursor = saved_cursor(*first);
  std::filesystem::remove(dir / "out");
  ASSERT_EQ(::mkfifo((dir / "out").c_str(), 0600), 0);
  const core::Descriptor reader(::open((dir / "out").c_str(), O_RDONLY | O_NONBLOCK));
  auto sut = make_stage("file_writer", {{"path", dir / "out"}});
  EXPECT_NE(message_of([&] { restart_from(*sut, cursor); }), "");
}

TEST(FileWriterTest, ResumeOnTheSameFileByAnotherPathGoesOn) {
  const TempFolder dir;
  std::filesystem::create_directory(dir / "sub");
  auto first = started("file_writer", {{"path", dir / "out"}});
  consume(*first, "one");
  first->sink()->flush();
  const std::string cursor = saved_cursor(*first);
  auto sut = make_stage("file_writer", {{"path", dir / "sub/../out"}});
  restart_from(*sut, cursor);
  consume(*sut, "two");
  sut->sink()->flush();
  EXPECT_EQ(read_file(dir / "out"), "onetwo");
}

TEST(FileWriterTest, FullDiskIsAnErrorWithPathAndReason) {
  auto sut = started("file_writer", {{"path", "/dev/full"}});
  consume(*sut, "x");
  const std::string message = message_of([&] { sut->sink()->flush(); });
  EXPECT_NE(message.find("/dev/full: No space left on device"), message.npos) << message;
}

TEST(FileWriterTest, ItemThatDidNotFitIsNotLeftHalfWritten) {
  struct Case {
    std::size_t item;  ///< its size; small ones are written together
    std::size_t items;
  };
  for (const Case& one : {Case{1'000'000, 1}, Case{300'000, 1}, Case{70'000, 2}, Case{1'000, 150}}) {
    const TempFolder dir;
    auto sut = started("file_writer", {{"path", dir / "out.bin"}});
    consume(*sut, "kept");
    sut->sink()->flush();
    // In a child: the limit on file sizes holds for the whole process.
    const pid_t child = ::fork();
    if (child == 0) {
      rlimit limit{};
      ::getrlimit(RLIMIT_FSIZE, &limit);
      limit.rlim_cur = 100'000;
      ::setrlimit(RLIMIT_FSIZE, &limit);
      ::signal(SIGXFSZ, SIG_IGN);
      const std::string item(one.item, 'x');
      const bool refused = !message_of([&] {
                              consume_all(*sut, std::vector<std::string>(one.items, item));
                              sut->sink()->flush();
                            }).empty();
      ::_exit(refused && read_file(dir / "out.bin") == "kept" ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0) << one.item;
  }
}

TEST(FileWriterTest, WhatDidNotFitFollowsOnceThereIsRoom) {
  const TempFolder dir;
  auto sut = started("file_writer", {{"path", dir / "out.bin"}});
  const pid_t child = ::fork();
  if (child == 0) {
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    const rlimit old = std::exchange(limit, {.rlim_cur = 100'000, .rlim_max = limit.rlim_max});
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::signal(SIGXFSZ, SIG_IGN);
    consume(*sut, "kept");
    const bool refused = !message_of([&] { consume(*sut, std::string(1'000'000, 'x')); }).empty();
    consume(*sut, std::string(150'000, 'y'));
    const bool full = !message_of([&] { sut->sink()->flush(); }).empty();
    ::setrlimit(RLIMIT_FSIZE, &old);
    consume(*sut, "end");
    sut->sink()->flush();
    ::_exit(refused && full ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read_file(dir / "out.bin"), "kept" + std::string(150'000, 'y') + "end");
}

TEST(FileWriterTest, MissingDirectoryIsAnErrorAtTheStart) {
  const std::string message = message_of([] { make_stage("file_writer", {{"path", "/nowhere/out.bin"}}); });
  EXPECT_NE(message.find("cannot open /nowhere/out.bin for writing: No such file or directory; its directory"),
            message.npos)
      << message;
}

TEST(FileWriterTest, WantsExactlyOneOfPathAndDirectory) {
  EXPECT_THROW(make_stage("file_writer"), InvalidParam);
  EXPECT_THROW(make_stage("file_writer", {{"path", "x"}, {"directory", "y"}}), InvalidParam);
}

// ---- file_writer, a file per item ----

TEST(ItemFilesTest, NamesFilesByTheirSequence) {
  const TempFolder dir;
  auto sut = make_stage("file_writer", {{"directory", dir / "new/out"}, {"pattern", "f-{sequence:04}_{part}.dat"}});
  consume(*sut, "seven", {.sequence = 7});
  consume(*sut, "", {.sequence = 123456, .part = 2});
  EXPECT_EQ(read_file(dir / "new/out/f-0007_0.dat"), "seven");
  EXPECT_TRUE(std::filesystem::exists(dir / "new/out/f-123456_2.dat"));
  EXPECT_EQ(files_in(dir / "new/out"), 2U);
}

TEST(ItemFilesTest, ExtensionIsGuessedFromTheContent) {
  const TempFolder dir;
  auto sut = make_stage("file_writer", {{"directory", dir.path()}});
  consume(*sut, "\x89PNG\r\n\x1a\n", {.sequence = 0});
  consume(*sut, "\xff\xd8\xff\xe0", {.sequence = 1});
  consume(*sut, "?", {.sequence = 2});
  consume(*sut, "", {.sequence = 3});
  for (const char* name : {"000000.png", "000001.jpg", "000002.bin", "000003.bin"}) {
    EXPECT_TRUE(std::filesystem::exists(dir / name)) << name;
  }
}

TEST(ItemFilesTest, PartsOfOneInputDoNotOverwriteEachOther) {
  const TempFolder dir;
  auto sut = make_stage("file_writer", {{"directory", dir.path()}, {"pattern", "{sequence}.x"}});
  consume(*sut, "first", {.sequence = 1, .part = 0});
  consume(*sut, "second", {.sequence = 1, .part = 1});
  EXPECT_EQ(read_file(dir / "1.x"), "first");
  EXPECT_EQ(read_file(dir / "1-1.x"), "second");
}

TEST(ItemFilesTest, ReplayWritesTheSameFileAgain) {
  const TempFolder dir;
  for (int attempt = 1; attempt <= 2; ++attempt) {
    consume(*make_stage("file_writer", {{"directory", dir.path()}, {"pattern", "{sequence}"}}), "same");
  }
  EXPECT_EQ(files_in(dir.path()), 1U);
}

TEST(ItemFilesTest, FailedWriteLeavesNoFile) {
  const TempFolder dir;
  auto sut = make_stage("file_writer", {{"directory", dir.path()}, {"pattern", "{sequence}"}});
  std::filesystem::create_directory(dir / "0");
  const std::string message = message_of([&] { consume(*sut, "x"); });
  EXPECT_NE(message.find("cannot rename"), message.npos) << message;
  EXPECT_EQ(files_in(dir.path()), 1U);
}

/// The next item would fare no better, and thousands of letters help nobody.
TEST(ItemFilesTest, FullDiskFailsTheRunAndNotOnlyAnItem) {
  const TempFolder dir;
  const std::string disk = dir / "disk";
  std::filesystem::create_directory(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=64k") != 0) {
    GTEST_SKIP() << "needs the right to mount a small tmpfs: " << std::strerror(errno);
  }
  auto sut = make_stage("file_writer", {{"directory", disk}, {"pattern", "{sequence}"}});
  consume(*sut, "fits", {.sequence = 0});
  sut->sink()->flush();
  const std::string large(100'000, 'x');
  const std::string of_item = message_of([&] { consume(*sut, large, {.sequence = 1}); });
  EXPECT_NE(of_item.find("No space left on device"), of_item.npos) << of_item;
  EXPECT_EQ(message_of([&] { sut->sink()->flush(); }), of_item);
  EXPECT_EQ(files_in(disk), 1U);
  EXPECT_EQ(::umount(disk.c_str()), 0);
}

TEST(ItemFilesTest, WhatAKilledPredecessorLeftIsReplaced) {
  const TempFolder dir;
  write_file(dir / ".0.partial", "much longer than the item");
  std::filesystem::create_hard_link(dir / ".0.partial", dir / "other");
  auto sut = make_stage("file_writer", {{"directory", dir.path()}, {"pattern", "{sequence}"}});
  consume(*sut, "x");
  EXPECT_EQ(read_file(dir / "0"), "x");
  EXPECT_FALSE(std::filesystem::exists(dir / ".0.partial"));
  EXPECT_EQ(read_file(dir / "other"), "much longer than the item");
}

TEST(ItemFilesTest, NothingIsWrittenThroughWhatStandsInTheWay) {
  namespace fs = std::filesystem;
  const TempFolder dir;
  const std::string partial = dir / ".0.partial";
  write_file(dir / "foreign", "kept");
  const std::vector<std::function<void()>> obstacles{
      [&] { fs::create_symlink("foreign", partial); }, [&] { fs::create_symlink("new", partial); },
      [&] { fs::create_directory(partial); }, [&] { ASSERT_EQ(::mkfifo(partial.c_str(), 0600), 0); }};
  for (const auto& make_obstacle : obstacles) {
    fs::remove(partial);
    make_obstacle();
    auto sut = make_stage("file_writer", {{"directory", dir.path()}, {"pattern", "{sequence}"}});
    const std::string message = message_of([&] { consume(*sut, "x"); });
    EXPECT_NE(message.find(partial + " is in the way"), message.npos) << message;
    EXPECT_EQ(read_file(dir / "foreign"), "kept");
    EXPECT_FALSE(fs::exists(dir / "new"));
    EXPECT_FALSE(fs::exists(dir / "0"));
    EXPECT_TRUE(fs::exists(fs::symlink_status(partial))) << "it is not ours to remove";
  }
}

TEST(ItemFilesTest, BadPatternsAreRefusedWithTheReason) {
  const TempFolder dir;
  const std::vector<std::pair<const char*, const char*>> cases{
      {"{sequence", "a { without a }"},
      {"sequence}", "a } without a {"},
      {"out.png", "without {sequence}"},
      {"{frame}", "{frame} is not known"},
      {"{sequence:6}", "not one such as 06"},
      {"{sequence:099}", "not one such as 06"},
      {"{sequence:}", "not one such as 06"},
      {"a/{sequence}", "a / in it"},
      {"", "without {sequence}"},
  };
  for (const auto& [text, reason] : cases) {
    const std::string pattern = text;
    const std::string message = message_of([&] {
      make_stage("file_writer", {{"directory", dir.path()}, {"pattern", pattern}});
    });
    EXPECT_NE(message.find(reason), message.npos) << pattern << ": " << message;
  }
}

TEST(ItemFilesTest, DirectoryThatCannotBeMadeIsAnError) {
  const TempFolder dir;
  write_file(dir / "file", "");
  const std::string message = message_of([&] { make_stage("file_writer", {{"directory", dir / "file"}}); });
  EXPECT_NE(message.find("cannot make the directory"), message.npos) << message;
}

TEST(DiscardTest, TakesAnything) {
  auto sut = make_stage("discard");
  consume_all(*sut, {"", "x", std::string(1'000'000, 'y')});
  sut->sink()->flush();
  sut->cleanup();
  EXPECT_EQ(stage_type("discard").cursor_bytes, 0U);
  EXPECT_EQ(stage_type("discard").kind, StageKind::sink);
}

}  // namespace
}  // namespace pystream::test
