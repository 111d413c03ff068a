#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <utility>

#include "core/descriptor.hpp"
#include "support/temp_folder.hpp"
#include "workers/source_items.hpp"

/// The source that reads a file for each item.
namespace pystream::test {
namespace {

TEST(FilesTest, EmitsMatchingFilesInNameOrder) {
  const TempFolder dir;
  write_file(dir / "b.jpg", "2");
  write_file(dir / "a.jpg", "1");
  write_file(dir / "c.png", "3");
  write_file(dir / "empty.jpg", "");
  std::filesystem::create_directory(dir / "dir.jpg");
  auto sut = make_stage("files", {{"path", dir.path()}, {"pattern", "*.jpg"}});
  EXPECT_EQ(run_source(*sut), (Texts{"1", "2", ""}));
}

TEST(FilesTest, RecursiveLooksBelow) {
  const TempFolder dir;
  std::filesystem::create_directories(dir / "x/y");
  write_file(dir / "x/y/deep.txt", "deep");
  write_file(dir / "top.txt", "top");
  EXPECT_EQ(run_source(*make_stage("files", {{"path", dir.path()}})), Texts{"top"});
  EXPECT_EQ(run_source(*make_stage("files", {{"path", dir.path()}, {"recursive", true}})), (Texts{"top", "deep"}));
}

TEST(FilesTest, EmitsPathsIfAsked) {
  const TempFolder dir;
  write_file(dir / "a", "1");
  EXPECT_EQ(run_source(*make_stage("files", {{"path", dir.path()}, {"emit", "path"}})), Texts{dir / "a"});
}

TEST(FilesTest, SingleFileIsOneItem) {
  const TempFolder dir;
  write_file(dir / "a", std::string(100'000, 'q'));
  EXPECT_EQ(run_source(*make_stage("files", fixed_path(dir / "a"))), Texts{std::string(100'000, 'q')});
}

TEST(FilesTest, FileWithoutASizeIsReadToItsEnd) {
  auto sut = make_stage("files", fixed_path("/proc/self/stat"));
  const Texts items = run_source(*sut);
  ASSERT_EQ(items.size(), 1U);
  EXPECT_GT(items.front().size(), 20U);
}

TEST(FilesTest, EmptyDirectoryGivesNothing) {
  const TempFolder dir;
  EXPECT_EQ(run_source(*make_stage("files", fixed_path(dir.path()))), Texts{});
}

TEST(FilesTest, MissingDirectoryIsNamed) {
  const std::string message = message_of([] { make_stage("files", fixed_path("/nowhere")); });
  EXPECT_NE(message.find("/nowhere does not exist; \"path\" must be"), message.npos) << message;
}

TEST(FilesTest, VanishedFileIsAnErrorAndTheNextFollows) {
  const TempFolder dir;
  write_file(dir / "a", "1");
  write_file(dir / "b", "2");
  auto sut = make_stage("files", fixed_path(dir.path()));
  std::filesystem::remove(dir / "a");
  CollectingOutput out;
  const std::string message = message_of([&] { sut->source()->produce(out); });
  EXPECT_NE(message.find((dir / "a") + ": No such file"), message.npos) << message;
  EXPECT_TRUE(sut->source()->produce(out));
  EXPECT_EQ(out.texts(), Texts{"2"});
}

TEST(FilesTest, ResumeGoesOnWithTheNextFile) {
  const TempFolder dir;
  for (const char* name : {"a", "b", "c", "d"}) {
    write_file(dir / name, name);
  }
  expect_resume_at_every_item("files", fixed_path(dir.path()));
}

TEST(FilesTest, ResumeFindsItsPlaceAfterFilesWereAddedInFront) {
  const TempFolder dir;
  write_file(dir / "b", "b");
  write_file(dir / "c", "c");
  auto first = make_stage("files", fixed_path(dir.path()));
  EXPECT_EQ(run_source(*first, 1), Texts{"b"});
  const std::string cursor = saved_cursor(*first);
  write_file(dir / "a", "a");
  auto sut = make_stage("files", fixed_path(dir.path()));
  restart_from(*sut, cursor);
  EXPECT_EQ(run_source(*sut), Texts{"c"});
}

TEST(FilesTest, HiddenFilesMatchOnlyAPatternWithADot) {
  const TempFolder dir;
  write_file(dir / "a.txt", "shown");
  write_file(dir / ".b.txt", "hidden");
  for (const char* folder : {"below", ".git"}) {
    std::filesystem::create_directory(dir / folder);
    write_file((dir / folder) + "/c.txt", folder);
  }
  const auto read = [&](const char* pattern, bool recursive) {
    return run_source(*make_stage("files", {{"path", dir.path()}, {"pattern", pattern}, {"recursive", recursive}}));
  };
  for (const char* pattern : {"*.txt", "*", "?*.txt", "[.a]*"}) {
    EXPECT_EQ(read(pattern, false), Texts{"shown"}) << pattern;
  }
  EXPECT_EQ(read("*.txt", true), (Texts{"shown", "below"}));
  EXPECT_EQ(read(".*", false), Texts{"hidden"});
}

TEST(FilesTest, PatternThatMatchesNothingIsAnErrorOfAFreshRun) {
  const TempFolder dir;
  write_file(dir / "a.txt", "");
  for (const char* pattern : {"*.jpg", "", "A.txt", ".*"}) {
    const std::string message = message_of([&] {
      make_stage("files", {{"path", dir.path()}, {"pattern", pattern}})->start();
    });
    EXPECT_NE(message.find("no file in " + dir.path().string() + " matches " + pattern), message.npos) << message;
  }
  make_stage("files", {{"path", dir.path()}, {"pattern", "*.jpg"}, {"when_empty", "end"}})->start();
  make_stage("files", {{"path", dir.path()}, {"pattern", "*.txt"}})->start();
}

TEST(FilesTest, RestartAfterAllFilesAreGoneIsNoError) {
  const TempFolder dir;
  write_file(dir / "a", "1");
  auto first = make_stage("files", fixed_path(dir.path()));
  first->start();
  run_source(*first);
  std::filesystem::remove(dir / "a");
  auto sut = make_stage("files", fixed_path(dir.path()));
  restart_from(*sut, saved_cursor(*first));
  EXPECT_EQ(run_source(*sut), Texts{});
}

TEST(FilesTest, LinkThatLeadsNowhereIsAnError) {
  const TempFolder dir;
  std::filesystem::create_symlink("nowhere", dir / "a");
  auto sut = make_stage("files", fixed_path(dir.path()));
  CollectingOutput out;
  const std::string message = message_of([&] { sut->source()->produce(out); });
  EXPECT_NE(message.find((dir / "a") + ": No such file"), message.npos) << message;
}

/// Takes root's rights away from this thread for as long as it lives: root may list every folder.
class WithoutRoot {
 public:
  WithoutRoot() : was_root_(::geteuid() == 0) { set(kNobody); }
  ~WithoutRoot() { set(0); }
  WithoutRoot(const WithoutRoot&) = delete;
  WithoutRoot& operator=(const WithoutRoot&) = delete;

 private:
  static constexpr uid_t kNobody = 65534;
  void set(uid_t user) const {
    if (was_root_ && ::seteuid(user) != 0) {
      throw std::runtime_error("cannot change the user");
    }
  }
  bool was_root_;
};

TEST(FilesTest, UnreadableSubfolderIsNamed) {
  namespace fs = std::filesystem;
  const TempFolder dir;
  fs::permissions(dir.path(), fs::perms(0755));
  fs::create_directories(dir / "a/b");
  write_file(dir / "x", "");
  fs::permissions(dir / "a/b", fs::perms::none);
  std::string message;
  {
    const WithoutRoot nobody;
    message = message_of([&] { make_stage("files", {{"path", dir.path()}, {"recursive", true}}); });
  }
  EXPECT_NE(message.find("cannot list " + (dir / "a/b") + ": Permission denied; make it readable, or move it"),
            message.npos)
      << message;
  fs::permissions(dir / "a/b", fs::perms(0755));
}

/// Cuts a file once its size is known to whoever reads it.
class CuttingOutput final : public CollectingOutput {
 public:
  CuttingOutput(std::string path, std::size_t to) : path_(std::move(path)), to_(to) {}
  std::span<std::byte> reserve(std::size_t size) override {
    std::filesystem::resize_file(path_, to_);
    return CollectingOutput::reserve(size);
  }

 private:
  std::string path_;
  std::size_t to_;
};

TEST(FilesTest, FileThatIsCutWhileItIsReadIsAnError) {
  const TempFolder dir;
  for (const std::size_t left : {0U, 3U, 99'999U}) {
    write_file(dir / "a", std::string(100'000, 'x'));
    auto sut = make_stage("files", fixed_path(dir / "a"));
    CuttingOutput out(dir / "a", left);
    const std::string message = message_of([&] { sut->source()->produce(out); });
    EXPECT_NE(message.find((dir / "a") + " was cut while it was read: found " + std::to_string(left) +
                           " bytes, expected 100000"),
              message.npos)
        << message;
    EXPECT_TRUE(out.items().empty());
  }
}

TEST(FilesTest, FileWhoseSizeIsNotThatOfItsContentIsRead) {
  for (const char* path : {"/proc/self/comm", "/sys/kernel/mm/transparent_hugepage/enabled"}) {
    if (std::filesystem::exists(path)) {
      EXPECT_EQ(run_source(*make_stage("files", fixed_path(path))), Texts{read_file(path)}) << path;
    }
  }
}

TEST(FilesTest, WhatIsNoRegularFileIsRefusedWithoutWaiting) {
  const TempFolder dir;
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  std::filesystem::create_symlink("fifo", dir / "link");
  for (const auto& [path, kind] :
       {std::pair(dir / "fifo", "a FIFO"), std::pair(dir / "link", "a FIFO"),
        std::pair(std::string("/dev/zero"), "a device"), std::pair(std::string("/dev/null"), "a device")}) {
    auto sut = make_stage("files", fixed_path(path));
    CollectingOutput out;
    const std::string message = message_of([&] { sut->source()->produce(out); });
    EXPECT_NE(message.find("files: " + path + " is " + kind), message.npos) << message;
    EXPECT_NE(message.find("expected a regular file"), message.npos) << message;
    EXPECT_FALSE(sut->source()->produce(out));
  }
}

/// This file tells no size, and holds 8 bytes for each page that a process could have.
TEST(FilesTest, FileWithoutASizeMayBeAsLargeAsTheLinkAllows) {
  const char* const endless = "/proc/self/pagemap";
  if (core::Descriptor(::open(endless, O_RDONLY)).valid()) {
    for (const std::size_t limit : {std::size_t{100}, std::size_t{1'000'000}}) {
      auto sut = make_stage("files", fixed_path(endless));
      CollectingOutput out(limit);
      EXPECT_THROW(sut->source()->produce(out), ItemTooLarge);
      EXPECT_FALSE(sut->source()->produce(out));
    }
  }
}

}  // namespace
}  // namespace pystream::test
