#include "coord/output_locks.hpp"

#include <fcntl.h>
#include <fnmatch.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <pystream/error.hpp>
#include <random>
#include <stdexcept>

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

TEST(OutputLocksTest, WhatWasMadeAndIsEmptyGoesUnlessItIsKept) {
  const TempFolder dir;
  const FileClaim file = writes(dir / "new/out");
  FileClaim folder = writes(dir / "made/deep");
  folder.names = "{sequence}.png";
  { const OutputLocks sut({file, folder}, kNoWarning); }
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
  const OutputLocks other({writes(dir / "taken")}, kNoWarning);
  EXPECT_NE(refusal({folder, writes(dir / "taken")}), "");
  EXPECT_FALSE(std::filesystem::exists(dir / "made")) << "what was made before the refusal";
  EXPECT_TRUE(std::filesystem::exists(dir / "taken")) << "another run's";
  {
    OutputLocks sut({folder}, kNoWarning);
    sut.keep_made();
  }
  EXPECT_TRUE(std::filesystem::exists(dir / "made/deep"));
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

FileClaim writes_in(const std::string& folder, std::string names) {
  FileClaim claim = writes(folder);
  claim.names = std::move(names);
  return claim;
}

TEST(OutputLocksTest, FoldersAreSharedByNamesThatCannotMeet) {
  struct Case {
    std::string first;
    std::string second;
    bool meet;
  };
  const std::string common(80, 'x');
  const std::vector<Case> cases{
      {"{sequence:06}.txt", "{sequence:006}.txt", true},
      {"{sequence:06}.txt", "{sequence}.txt", true},
      {"{sequence:06}.txt", "{sequence:06}.{extension}", true},
      {"{sequence}.txt", "{sequence}-1.txt", true},
      {"{sequence}{part}.png", "{sequence}.png", true},
      {"{other}.png", "{sequence}.png", true},
      {common + "{sequence}.png", common + "{sequence:06}.png", true},
      {"% *{sequence}", "% *{sequence:03}", true},
      {"\xc3\xa4\n{sequence}", "\xc3\xa4\n{part}{sequence}", true},
      {"{sequence}-left.png", "{sequence}-right.png", false},
      {"{sequence}.png", "{sequence}.jpg", false},
      {"a{sequence}.png", "b{sequence}.png", false},
      {"{sequence}.png", "{sequence}x.png", false},
      {"{sequence}_{part}.png", "{sequence}.png", false},
      {"a" + common + "{sequence}.png", "b" + common + "{sequence}.png", false},
  };
  for (const Case& one : cases) {
    const TempFolder dir;
    for (const auto& [first, second] : {std::pair(one.first, one.second), std::pair(one.second, one.first)}) {
      const OutputLocks held({writes_in(dir.path(), first)}, kNoWarning);
      EXPECT_EQ(!refusal({writes_in(dir.path(), second)}).empty(), one.meet) << first << " " << second;
      const TempFolder elsewhere;
      EXPECT_EQ(refusal({writes_in(elsewhere.path(), first), writes_in(elsewhere.path(), second)}), "") << "one run";
    }
  }
}

TEST(OutputLocksTest, FileAndFolderMeetByItsName) {
  struct Case {
    std::string file;
    std::string names;
    bool meet;
  };
  for (const Case& one : {Case{"000005.txt", "{sequence:06}.txt", true}, Case{"5-1.txt", "{sequence}.txt", true},
                          Case{std::string(90, 'x') + "1", std::string(90, 'x') + "{sequence}", true},
                          Case{"{sequence}.txt", "{sequence}.txt", false}, Case{"5.txt", "{sequence:06}.txt", false},
                          Case{"out.txt", "{sequence}.txt", false}}) {
    const TempFolder dir;
    const FileClaim file = writes(dir / one.file);
    const FileClaim folder = writes_in(dir.path(), one.names);
    {
      const OutputLocks held({file}, kNoWarning);
      EXPECT_EQ(!refusal({folder}).empty(), one.meet) << one.file << " " << one.names;
    }
    const OutputLocks held({folder}, kNoWarning);
    EXPECT_EQ(!refusal({file}).empty(), one.meet) << one.file << " " << one.names;
  }
}

/// A process that takes its locks when told to, and holds them until it is let go.
class Contender {
 public:
  explicit Contender(const FileClaim& claim) {
    int to[2];
    int from[2];
    if (::pipe(to) != 0 || ::pipe(from) != 0 || (pid_ = ::fork()) < 0) {
      throw std::runtime_error("cannot start a process");
    }
    base::UniqueFd to_child(to[0]);
    base::UniqueFd from_child(from[1]);
    to_.reset(to[1]);
    from_.reset(from[0]);
    if (pid_ == 0) {
      char word = 0;
      to_.reset();
      if (::read(to_child.get(), &word, 1) == 1) {
        run(claim, from_child.get(), to_child.get());
      }
      ::_exit(0);
    }
  }
  Contender(const Contender&) = delete;
  Contender& operator=(const Contender&) = delete;
  ~Contender() {
    to_.reset();
    ::waitpid(pid_, nullptr, 0);
  }

  void go() const { EXPECT_EQ(::write(to_.get(), "g", 1), 1); }
  bool holds() const {
    char word = 0;
    EXPECT_EQ(::read(from_.get(), &word, 1), 1);
    return word == 'y';
  }

 private:
  static void run(const FileClaim& claim, int out, int in) {
    char word = 0;
    try {
      const OutputLocks locks({claim}, [](const std::string&) {});
      ::_exit(::write(out, "y", 1) == 1 && ::read(in, &word, 1) == 0 ? 0 : 1);
    } catch (const Error&) {
      ::_exit(::write(out, "n", 1) == 1 ? 0 : 1);
    }
  }

  pid_t pid_ = -1;
  base::UniqueFd to_;
  base::UniqueFd from_;
};

TEST(OutputLocksTest, OfTwoRunsThatStartAtOnceNotBothGoOn) {
  const TempFolder dir;
  const FileClaim folder = writes_in(dir.path(), "{sequence:06}.txt");
  for (const FileClaim& rival : {writes_in(dir.path(), "{sequence:06}.txt"), writes_in(dir.path(), "{sequence}.txt"),
                                 writes(dir / "000005.txt")}) {
    for (int round = 0; round < 100; ++round) {
      const Contender first(folder);
      const Contender second(rival);
      first.go();
      second.go();
      const bool first_holds = first.holds();
      const bool second_holds = second.holds();
      ASSERT_FALSE(first_holds && second_holds) << rival.names << rival.path;
    }
  }
}

TEST(OutputLocksTest, FilesInOneFolderDoNotMeet) {
  const TempFolder dir;
  const std::string common(90, 'x');
  const OutputLocks first({writes(dir / common + "1"), writes(dir / "1")}, kNoWarning);
  EXPECT_EQ(refusal({writes(dir / common + "2"), writes(dir / "2")}), "");
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
  EXPECT_TRUE(meet("x[0-9]y", "x{sequence}y"));
  const std::string many(2000, '*');
  EXPECT_FALSE(NamePattern::shell(many + "a").meets(NamePattern::braces("{sequence}.b")));
}

/// Brackets, above all: what fnmatch(3) takes must never count as a name that cannot be.
TEST(NamePatternTest, TakesWhateverFnmatchTakes) {
  for (const auto& [pattern, name] : {std::pair("[[:digit:]]*.out", "000.out"), std::pair("[!]]*", "a7"),
                                      std::pair("[a\\]b]c", "]c"), std::pair("[]a]c", "]c"), std::pair("a[", "a[")}) {
    EXPECT_EQ(::fnmatch(pattern, name, FNM_PERIOD), 0) << pattern;
    EXPECT_TRUE(NamePattern::shell(pattern).meets(NamePattern::name(name))) << pattern;
  }
  EXPECT_FALSE(NamePattern::shell("a[0-9].png").meets(NamePattern::braces("{sequence}.jpg"))) << "a plain bracket";
  std::mt19937 random(1);
  const auto text_of = [&](std::string_view characters) {
    std::string text(std::uniform_int_distribution<std::size_t>(1, 8)(random), ' ');
    for (char& c : text) {
      c = characters[std::uniform_int_distribution<std::size_t>(0, characters.size() - 1)(random)];
    }
    return text;
  };
  int fitting = 0;
  for (int i = 0; i < 200'000; ++i) {
    const std::string pattern = text_of("ab]]![[\\:-*?.^");
    const std::string name = text_of("ab][.!-");
    if (::fnmatch(pattern.c_str(), name.c_str(), FNM_PERIOD) == 0) {
      ++fitting;
      ASSERT_TRUE(NamePattern::shell(pattern).meets(NamePattern::name(name))) << pattern << " " << name;
    }
  }
  EXPECT_GT(fitting, 1000);
}

}  // namespace
}  // namespace pystream::coord::test
