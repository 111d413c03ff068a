#include "base/nonblocking_writer.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "support/temp_folder.hpp"

namespace pystream::base {
namespace {

using namespace std::chrono_literals;

/// What a writer writes to, and what reads it.
struct Ends {
  UniqueFd read;
  UniqueFd write;
};

Ends make_pipe() {
  std::array<int, 2> fds{};
  EXPECT_EQ(::pipe2(fds.data(), O_CLOEXEC), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Ends make_sockets() {
  std::array<int, 2> fds{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Ends make_terminal() {
  int screen = -1;
  int program = -1;
  termios raw{};
  ::cfmakeraw(&raw);
  EXPECT_EQ(::openpty(&screen, &program, nullptr, &raw, nullptr), 0);
  return {UniqueFd(screen), UniqueFd(program)};
}

const std::vector<std::pair<const char*, std::function<Ends()>>> kKinds{
    {"pipe", make_pipe}, {"socket", make_sockets}, {"terminal", make_terminal}};

/// All that there is to read now.
std::string read_now(const UniqueFd& fd) {
  std::string text;
  std::array<char, 4096> chunk{};
  pollfd ready{.fd = fd.get(), .events = POLLIN, .revents = 0};
  while (::poll(&ready, 1, 50) == 1 && (ready.revents & POLLIN) != 0) {
    const ssize_t got = ::read(fd.get(), chunk.data(), chunk.size());
    if (got <= 0) {
      break;
    }
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
  return text;
}

std::string line_of(int number) {
  return "line " + std::to_string(number) + " " + std::string(90, 'x') + "\n";
}

TEST(NonblockingWriterTest, NeverWaitsForAReaderAndCountsWhatItDrops) {
  for (const auto& [name, make] : kKinds) {
    const Ends ends = make();
    const int flags = ::fcntl(ends.write.get(), F_GETFL);
    NonblockingWriter sut(ends.write.get(), 10'000);
    ::alarm(60);  // a writer that waits would do so for ever
    std::string all;
    for (int i = 0; i < 10'000; ++i) {
      all += line_of(i);
      sut.write(line_of(i));
    }
    EXPECT_FALSE(sut.flush_within(1ms)) << name;
    ::alarm(0);
    EXPECT_EQ(::fcntl(ends.write.get(), F_GETFL), flags) << name << ": others share them";
    const std::string seen = read_now(ends.read);
    const auto lines = static_cast<std::uint64_t>(std::count(seen.begin(), seen.end(), '\n'));
    EXPECT_GT(lines, 10U) << name;
    EXPECT_TRUE(all.starts_with(seen)) << name;
    EXPECT_GE(sut.dropped() + lines, 9'999U) << name << ", " << lines << " lines";  // one may have been cut
    EXPECT_LE(sut.dropped() + lines, 10'001U) << name << ", " << lines << " lines";
    sut.write("again\n");
    EXPECT_TRUE(sut.flush_within(10s)) << name << ": it is read again";
    EXPECT_TRUE(read_now(ends.read).ends_with("again\n")) << name;
  }
}

TEST(NonblockingWriterTest, LosesNothingForAReaderThatIsOnlySlow) {
  for (const auto& [name, make] : kKinds) {
    const Ends ends = make();
    NonblockingWriter sut(ends.write.get(), 2 << 20);
    EventLoop loop;
    sut.attach(loop);
    std::string all;
    for (int i = 0; i < 10'000; ++i) {
      all += line_of(i);
      sut.write(line_of(i));
    }
    std::string seen;
    ::alarm(60);
    while (seen.size() < all.size()) {
      std::array<char, 4096> chunk{};
      const ssize_t got = ::read(ends.read.get(), chunk.data(), chunk.size());
      ASSERT_GT(got, 0) << name;
      seen.append(chunk.data(), static_cast<std::size_t>(got));
      loop.wait(std::chrono::nanoseconds(now_ns()));
    }
    ::alarm(0);
    EXPECT_EQ(seen, all) << name;
    EXPECT_EQ(sut.dropped(), 0U) << name;
    sut.detach();
  }
}

TEST(NonblockingWriterTest, AReaderThatIsGoneCostsTheLinesAndNothingElse) {
  std::signal(SIGPIPE, SIG_IGN);
  for (const auto& [name, make] : kKinds) {
    Ends ends = make();
    NonblockingWriter sut(ends.write.get());
    ends.read.reset();
    sut.write("one\ntwo\n");
    EXPECT_TRUE(sut.flush_within(1s) || sut.dropped() == 2) << name;
    EXPECT_EQ(sut.dropped(), 2U) << name;
  }
  std::signal(SIGPIPE, SIG_DFL);
}

TEST(NonblockingWriterTest, AFullDiskAndAClosedDescriptorAreLinesThatNobodySees) {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  NonblockingWriter to_full(full.get());
  to_full.write("one\n");
  EXPECT_EQ(to_full.dropped(), 1U);
  NonblockingWriter to_nothing(987);
  to_nothing.write("one\n");
  EXPECT_EQ(to_nothing.dropped(), 1U);
}

TEST(NonblockingWriterTest, AFileIsWrittenAtTheSharedPosition) {
  const test::TempFolder folder;
  const std::string path = folder.write("log", "");
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  NonblockingWriter sut(file.get());
  sut.write("one\n");
  ASSERT_EQ(::write(file.get(), "other\n", 6), 6);
  sut.write("two\n");
  EXPECT_EQ(folder.read("log"), "one\nother\ntwo\n");
}

TEST(NonblockingWriterTest, WhatIsSoonOutOfDateIsLeftOutWhenTheReaderIsBehind) {
  const Ends ends = make_pipe();
  NonblockingWriter sut(ends.write.get(), 100'000);
  sut.write_if_read("first");
  EXPECT_EQ(read_now(ends.read), "first");
  for (int i = 0; i < 900; ++i) {
    sut.write(line_of(i));
  }
  sut.write_if_read("late");
  EXPECT_EQ(sut.dropped(), 0U);
  EXPECT_EQ(read_now(ends.read).find("late"), std::string::npos);
}

}  // namespace
}  // namespace pystream::base
