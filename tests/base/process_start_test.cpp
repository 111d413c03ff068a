#include "base/process_start.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "support/child.hpp"

namespace pystream::base {
namespace {

/// The exit code of a forked process that calls `body`.
int in_child(const std::function<int()>& body) {
  const int status = test::Child([&] { ::_exit(body()); }).wait();
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

TEST(ProcessStartTest, WhatTheParentIgnoredHasItsDefaultAgainButForWhatIsMeant) {
  EXPECT_EQ(in_child([] {
              for (int signal = 1; signal <= SIGRTMAX; ++signal) {
                std::signal(signal, SIG_IGN);
              }
              reset_ignored_signals();
              for (int signal = 1; signal <= SIGRTMAX; ++signal) {
                struct sigaction action {};
                const bool kept = signal == SIGHUP || signal == SIGINT || signal == SIGQUIT;
                if (::sigaction(signal, nullptr, &action) == 0 && is_ignored(signal) != kept) {
                  return signal;
                }
              }
              return 0;
            }),
            0);
}

TEST(ProcessStartTest, AHandlerOfItsOwnIsKept) {
  EXPECT_EQ(in_child([] {
              std::signal(SIGUSR1, [](int) {});
              reset_ignored_signals();
              ::raise(SIGUSR1);
              reset_all_signals();
              struct sigaction action {};
              ::sigaction(SIGUSR1, nullptr, &action);
              return action.sa_handler == SIG_DFL ? 0 : 1;
            }),
            0);
}

TEST(ProcessStartTest, NothingStaysBlocked) {
  EXPECT_EQ(in_child([] {
              sigset_t set;
              ::sigfillset(&set);
              ::sigprocmask(SIG_BLOCK, &set, nullptr);
              unblock_all_signals();
              ::sigprocmask(SIG_BLOCK, nullptr, &set);
              for (int signal = 1; signal < SIGRTMIN; ++signal) {
                if (::sigismember(&set, signal) == 1) {
                  return signal;
                }
              }
              return 0;
            }),
            0);
}

TEST(ProcessStartTest, ClosedStandardDescriptorsAreFilledAndRefuseTheWrongUse) {
  for (int closed = 0; closed < 8; ++closed) {
    EXPECT_EQ(in_child([closed] {
                for (int fd = 0; fd < 3; ++fd) {
                  if ((closed & (1 << fd)) != 0) {
                    ::close(fd);
                  }
                }
                char letter = 'x';
                const bool filled = fill_standard_descriptors();
                const int next = ::open("/dev/null", O_RDONLY);
                if (!filled || next < 3) {
                  return 1;
                }
                if ((closed & 1) != 0 && ::read(0, &letter, 1) >= 0) {
                  return 2;
                }
                if ((closed & 2) != 0 && ::write(1, &letter, 1) >= 0) {
                  return 3;
                }
                return (closed & 4) != 0 && ::write(2, &letter, 1) != 1 ? 4 : 0;
              }),
              0)
        << closed;
  }
}

}  // namespace
}  // namespace pystream::base
