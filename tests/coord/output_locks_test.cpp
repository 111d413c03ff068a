#include "coord/output_locks.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <pystream/error.hpp>

#include "coord/name_pattern.hpp"
#include "support/refused_syscall.hpp"
#include "support/temp_folder.hpp"

namespace pystream::coord::test {
namespace {

using pystream::test::TempFolder;

FileClaim writes(std::string path) {
  return {.where = "/sink/params/path", .stage = "Sink", .use = FileUse::writes, .path = std::move(path), .names = {}};
}

std::string refusal(const std::vector<FileClaim>& claims) {
  try {
    const OutputLocks sut(claims, [](const std::string& text) { ADD_FAILURE() << text; });
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

const auto kNoWarning = [](const std::string& text) { ADD_FAILURE() << text; };

TEST(OutputLocksTest, SecondRunIsRefusedAsLongAsTheFirstLives) {
  const TempFolder dir;
  {
    const OutputLocks first({writes(dir / "out")}, kNoWarning);
    const std::string message = refusal({writes(dir / "out")});
    EXPECT_NE(message.find("another run (pid " + std::to_string(::getpid()) + ")"), message.npos) << message;
    EXPECT_EQ(refusal({writes(dir / "other")}), "");
  }
  EXPECT_EQ(refusal({writes(dir / "out")}), "");
}

TEST(OutputLocksTest, FoldersAreLockedByTheNamesInThem) {
  const TempFolder dir;
  FileClaim folder = writes(dir / "new");
  folder.names = "{sequence}.png";
  const OutputLocks first({folder}, kNoWarning);
  folder.path += "/";
  const std::string message = refusal({folder});
  EXPECT_NE(message.find("another run (pid " + std::to_string(::getpid()) + ")"), message.npos) << message;
  folder.names = "other-{sequence}.png";
  EXPECT_EQ(refusal({folder}), "");
}

TEST(OutputLocksTest, OneRunMayWriteAFileWithTwoStages) {
  const TempFolder dir;
  EXPECT_EQ(refusal({writes(dir / "out"), writes(dir / "out")}), "");
}

TEST(OutputLocksTest, InheritedDescriptorsAreShared) {
  const TempFolder dir;
  const base::UniqueFd file(::open((dir / "out").c_str(), O_CREAT | O_WRONLY, 0600));
  const FileClaim inherited = writes("/dev/fd/" + std::to_string(file.get()));
  const OutputLocks first({inherited}, kNoWarning);
  EXPECT_EQ(refusal({inherited}), "");
  EXPECT_NE(refusal({writes(dir / "out")}), "") << "nobody may take it for itself";
}

TEST(OutputLocksTest, WhatIsNoRegularFileIsNotLocked) {
  const OutputLocks first({writes("/dev/null")}, kNoWarning);
  EXPECT_EQ(refusal({writes("/dev/null"), writes("/nowhere/out")}), "");
}

TEST(OutputLocksTest, FileSystemWithoutLocksIsToldAndWrittenAllTheSame) {
  for (const int error : {EPERM, ENOLCK, EOPNOTSUPP}) {
    const TempFolder dir;
    const pid_t child = ::fork();
    if (child == 0) {
      std::string told;
      if (!pystream::test::refuse_syscall(SYS_flock, static_cast<unsigned>(error))) {
        ::_exit(2);
      }
      const OutputLocks sut({writes(dir / "out")}, [&](const std::string& text) { told += text; });
      ::_exit(told.find("cannot lock " + (dir / "out")) != told.npos && told.find(::strerror(error)) != told.npos ? 0
                                                                                                                  : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    if (WEXITSTATUS(status) == 2) {
      GTEST_SKIP() << "this kernel has no filters for system calls";
    }
    EXPECT_EQ(status, 0) << ::strerror(error);
  }
}

TEST(NamePatternTest, TellsWhetherANameFitsBoth) {
  const auto meet = [](const char* pattern, const char* written) {
    const bool meets = NamePattern::shell(pattern).meets(NamePattern::braces(written));
    EXPECT_EQ(meets, NamePattern::braces(written).meets(NamePattern::shell(pattern)));
    return meets;
  };
  EXPECT_TRUE(meet("*", "{sequence}.png"));
  EXPECT_TRUE(meet("", "{sequence}.png"));
  EXPECT_TRUE(meet("*.png", "{sequence:06}.{extension}"));
  EXPECT_TRUE(meet("a*[0-9].png", "{sequence}.png"));
  EXPECT_TRUE(meet("a?c", "abc"));
  EXPECT_TRUE(meet("*a*b*c*", "c{sequence}ab{part}c"));
  EXPECT_FALSE(meet("*.txt", "{sequence}.png"));
  EXPECT_FALSE(meet("in_*", "out_{sequence}.png"));
  EXPECT_FALSE(NamePattern::shell("a?c").meets(NamePattern::name("ac")));
  EXPECT_FALSE(meet("*", ".{sequence}"));
  EXPECT_TRUE(meet(".*", ".{sequence}"));
  EXPECT_TRUE(NamePattern::shell("\\*").meets(NamePattern::name("*")));
  EXPECT_FALSE(NamePattern::shell("\\*").meets(NamePattern::name("a")));
  EXPECT_TRUE(NamePattern::name("").meets(NamePattern::name("")));
  const std::string many(2000, '*');
  EXPECT_FALSE(NamePattern::shell(many + "a").meets(NamePattern::braces("{sequence}.b")));
}

}  // namespace
}  // namespace pystream::coord::test
