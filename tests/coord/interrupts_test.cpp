#include "coord/interrupts.hpp"

#include <gtest/gtest.h>

#include <csignal>

namespace pystream::coord {
namespace {

using namespace std::chrono_literals;
using Request = Interrupts::Request;

TEST(InterruptsTest, TheFirstSignalDrainsWhicheverItIs) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    for (const bool from_kernel : {false, true}) {
      Interrupts sut;
      EXPECT_FALSE(sut.any());
      EXPECT_EQ(sut.on_signal(signal, from_kernel, 7s), Request::drain) << signal;
      EXPECT_TRUE(sut.any());
    }
  }
}

TEST(InterruptsTest, AnEchoOfTheFirstSignalIsNoSecondOne) {
  for (const int echo : {SIGINT, SIGTERM, SIGHUP}) {
    Interrupts sut;
    sut.on_signal(SIGTERM, false, 7s);
    EXPECT_EQ(sut.on_signal(echo, false, 7s), Request::nothing) << echo;
    EXPECT_EQ(sut.on_signal(echo, false, 7s + 499ms), Request::nothing) << echo;
  }
  Interrupts passed_on;
  passed_on.on_signal(SIGINT, true, 7s);
  EXPECT_EQ(passed_on.on_signal(SIGINT, false, 7s + 1ms), Request::nothing)
      << "a wrapper passes on what the terminal sent";
  Interrupts closed;
  closed.on_signal(SIGHUP, true, 7s);
  EXPECT_EQ(closed.on_signal(SIGHUP, true, 7s + 1ms), Request::nothing)
      << "a shell and the kernel tell of one terminal";
}

TEST(InterruptsTest, HangUpsOnlyEverDrain) {
  Interrupts sut;
  EXPECT_EQ(sut.on_signal(SIGHUP, false, 7s), Request::drain);
  EXPECT_EQ(sut.on_signal(SIGHUP, false, 9s), Request::nothing);
  EXPECT_EQ(sut.on_signal(SIGHUP, true, 10s), Request::nothing);
  EXPECT_EQ(sut.on_signal(SIGTERM, false, 11s), Request::stop);
}

TEST(InterruptsTest, ALaterSignalStopsAtOnce) {
  for (const int signal : {SIGINT, SIGTERM}) {
    Interrupts sut;
    sut.on_signal(SIGTERM, false, 7s);
    sut.on_signal(SIGTERM, false, 7s + 400ms);
    EXPECT_EQ(sut.on_signal(signal, false, 7s + 500ms), Request::stop) << "half a second after the first, not the echo";
  }
}

TEST(InterruptsTest, CtrlCIsTakenAtItsWordAtOnce) {
  for (const int first : {SIGINT, SIGTERM}) {
    Interrupts sut;
    sut.on_signal(first, first == SIGINT, 7s);
    EXPECT_EQ(sut.on_signal(SIGINT, true, 7s + 50ms), Request::stop);
  }
}

TEST(InterruptsTest, QuitStopsAtOnce) {
  Interrupts sut;
  EXPECT_EQ(sut.on_signal(SIGQUIT, true, 7s), Request::stop);
  sut.on_signal(SIGTERM, false, 8s);
  EXPECT_EQ(sut.on_signal(SIGQUIT, false, 8s), Request::stop);
}

}  // namespace
}  // namespace pystream::coord
