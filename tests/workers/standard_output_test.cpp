#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "core/descriptor.hpp"
#include "support/temp_folder.hpp"
#include "workers/sink_items.hpp"

/// Sinks on descriptors that others may hold too.
namespace pystream::test {
namespace {

/// Points a standard descriptor elsewhere for as long as it lives.
class Redirect {
 public:
  Redirect(int standard, int target) : standard_(standard), saved_(::dup(standard)) { ::dup2(target, standard); }
  Redirect(const Redirect&) = delete;
  Redirect& operator=(const Redirect&) = delete;
  ~Redirect() { ::dup2(saved_.get(), standard_); }

 private:
  int standard_;
  core::Descriptor saved_;
};

/// Runs `action` with standard output on a new file and gives the file's content.
std::string output_of(const std::string& path, int flags, const std::function<void()>& action) {
  const core::Descriptor file(::open(path.c_str(), flags | O_CREAT | O_WRONLY, 0600));
  const Redirect redirect(STDOUT_FILENO, file.get());
  action();
  return read_file(path);
}

TEST(StandardOutputTest, ItemsAreLinesUnlessTheyAreKnownNotToBeText) {
  const TempFolder dir;
  EXPECT_EQ(output_of(dir / "a", O_TRUNC,
                      [] {
                        auto sut = started("stdout", kLines);
                        consume_all(*sut, {"a", "b"});
                        sut->cleanup();
                      }),
            "a\nb\n");
  EXPECT_EQ(output_of(dir / "b", O_TRUNC,
                      [] {
                        auto sut = started("stdout", {{"item_type", "bytes"}});
                        consume_all(*sut, {"a", "b"});
                        sut->cleanup();
                      }),
            "ab");
}

/// A sink dies after it has written "two\n" and a part of a third line, which it had not committed; its successor
/// writes all of that again. `disturb` is called before the first line, and then with true before the death.
std::string output_of_a_restarted_sink(const std::string& path, int flags,
                                       const std::function<void(bool dying)>& disturb) {
  return output_of(path, flags, [&] {
    std::string cursor;
    {
      auto dead = started("stdout", kLines);
      disturb(false);
      consume(*dead, "one");
      dead->sink()->flush();
      cursor = saved_cursor(*dead);
      consume(*dead, "two");
      dead->sink()->flush();
      ASSERT_EQ(::write(STDOUT_FILENO, "thr", 3), 3);
      disturb(true);
    }
    auto sut = make_stage("stdout", kLines);
    restart_from(*sut, cursor);
    consume(*sut, "two");
    sut->sink()->flush();
    consume_all(*sut, {"three", "four"});
    sut->sink()->flush();
    sut->cleanup();
  });
}

TEST(StandardOutputTest, RedirectedToAFileResumesExactly) {
  for (const int flags : {O_TRUNC, O_APPEND}) {
    const TempFolder dir;
    write_file(dir / "out", "header\n");
    EXPECT_EQ(output_of_a_restarted_sink(dir / "out", flags, [](bool) {}),
              (flags == O_APPEND ? "header\n" : "") + std::string("one\ntwo\nthree\nfour\n"));
  }
}

TEST(StandardOutputTest, RestartBeforeTheFirstItemIsExactToo) {
  const TempFolder dir;
  EXPECT_EQ(output_of(dir / "out", O_TRUNC,
                      [&] {
                        ASSERT_EQ(::write(STDOUT_FILENO, "header\n", 7), 7);
                        auto dead = started("stdout", kLines);
                        dead->sink()->flush();  // the worker commits right after start()
                        const std::string cursor = saved_cursor(*dead);
                        consume(*dead, "one");
                        dead->sink()->flush();
                        auto sut = make_stage("stdout", kLines);
                        restart_from(*sut, cursor);
                        consume_all(*sut, {"one", "two"});
                        sut->sink()->flush();
                        ASSERT_EQ(::write(STDOUT_FILENO, "footer\n", 7), 7);
                      }),
            "header\none\ntwo\nfooter\n");
}

TEST(StandardOutputTest, NeverCutsWhatStoodThere) {
  const TempFolder dir;
  write_file(dir / "out", "0123456789");
  EXPECT_EQ(output_of(dir / "out", 0,
                      [] {
                        auto sut = started("stdout", kLines);
                        consume(*sut, "ab");
                        sut->cleanup();
                      }),
            "ab\n3456789");
}

TEST(StandardOutputTest, WhatOthersWroteBesideItStaysOverARestart) {
  using Disturbance = std::function<void(bool dying)>;
  const auto foreign = [] { ASSERT_EQ(::write(STDOUT_FILENO, "foreign\n", 8), 8); };
  const std::vector<Disturbance> disturbances{[&](bool) { foreign(); }, [&](bool dying) { dying ? foreign() : void(); },
                                              [&](bool dying) { dying ? void() : foreign(); }};
  for (const int flags : {O_TRUNC, O_APPEND}) {
    for (const Disturbance& disturb : disturbances) {
      const TempFolder dir;
      const std::string content = output_of_a_restarted_sink(dir / "out", flags, disturb);
      for (const char* line : {"one\n", "two\n", "\nthree\n", "four\n", "foreign\n"}) {
        EXPECT_NE(content.find(line), content.npos) << "no " << line << "in\n" << content;
      }
    }
  }
}

TEST(StandardOutputTest, FileThatWasCutByOthersIsWrittenOn) {
  const TempFolder dir;
  const std::string path = dir / "log";
  const std::string content = output_of_a_restarted_sink(path, O_APPEND, [&](bool dying) {
    if (dying) {
      std::filesystem::resize_file(path, 0);  // as logrotate does with copytruncate
    }
  });
  EXPECT_EQ(content, "two\nthree\nfour\n");
}

TEST(StandardOutputTest, TwoSinksOnOneDescriptorKeepAllLines) {
  const TempFolder dir;
  const std::string content = output_of(dir / "out", O_TRUNC, [] {
    auto a = started("stdout", kLines);
    auto b = started("stdout", kLines);
    for (int i = 0; i < 100; ++i) {
      consume(i % 3 == 0 ? *a : *b, "line " + std::to_string(i));
      a->sink()->flush();
      b->sink()->flush();
    }
  });
  std::string expected;
  for (int i = 0; i < 100; ++i) {
    expected += "line " + std::to_string(i) + "\n";
  }
  EXPECT_EQ(content, expected);
}

TEST(FileWriterTest, InheritedDescriptorIsAppendedTo) {
  const TempFolder dir;
  const core::Descriptor file(::open((dir / "out").c_str(), O_CREAT | O_RDWR, 0600));
  ASSERT_EQ(::write(file.get(), "before\n", 7), 7);
  auto sut = started("file_writer", {{"path", "/proc/self/fd/" + std::to_string(file.get())}, {"newline", "always"}});
  consume(*sut, "item");
  sut->sink()->flush();
  EXPECT_EQ(read_file(dir / "out"), "before\nitem\n");
}

TEST(StandardOutputTest, AppendsToWhatWasThere) {
  const TempFolder dir;
  write_file(dir / "log", "before\n");
  EXPECT_EQ(output_of(dir / "log", O_APPEND,
                      [] {
                        auto sut = started("stdout", kLines);
                        consume(*sut, "after");
                        sut->cleanup();
                      }),
            "before\nafter\n");
}

TEST(StandardOutputTest, SharedWithStandardErrorOverwritesNothing) {
  const TempFolder dir;
  const core::Descriptor file(::open((dir / "both").c_str(), O_CREAT | O_WRONLY, 0600));
  {
    const Redirect redirect_output(STDOUT_FILENO, file.get());
    const Redirect redirect_error(STDERR_FILENO, file.get());
    auto sut = started("stdout", kLines);
    consume(*sut, "a");
    sut->sink()->flush();
    ASSERT_EQ(::write(STDERR_FILENO, "log\n", 4), 4);
    consume(*sut, "b");
    sut->cleanup();
  }
  EXPECT_EQ(read_file(dir / "both"), "a\nlog\nb\n");
}

TEST(StandardOutputTest, ReaderThatHasGoneIsAnErrorAndNoSignal) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  const core::Descriptor closed(ends[1]);
  std::string message;
  {
    const Redirect redirect(STDOUT_FILENO, closed.get());
    auto sut = started("stdout", kLines);
    consume(*sut, "x");
    message = message_of([&] { sut->sink()->flush(); });
  }
  EXPECT_NE(message.find("whoever read standard output has closed it"), message.npos) << message;
}

}  // namespace
}  // namespace pystream::test
