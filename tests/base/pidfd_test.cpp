#include "base/pidfd.hpp"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <exception>
#include <string>

#include "base/child_process.hpp"
#include "support/child.hpp"

/// Kernels and sandboxes without pidfd_open.
namespace pystream::base {
namespace {

constexpr int kCannotTest = 77;

/// This process finds no pidfd_open any more.
void hide_pidfd_open(int error) {
  std::array<sock_filter, 4> filter{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog program{.len = filter.size(), .filter = filter.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) {
    ::_exit(kCannotTest);
  }
}

/// Whether `body` throws what tells of it.
int told(int error, const std::function<void()>& body) {
  const int status = test::Child([&] {
                       hide_pidfd_open(error);
                       try {
                         body();
                       } catch (const std::exception& thrown) {
                         const bool right = std::strstr(thrown.what(), "pidfd_open is missing") != nullptr &&
                                            std::strstr(thrown.what(), "valgrind") != nullptr;
                         ::_exit(right ? 0 : 1);
                       }
                       ::_exit(2);
                     }).wait();
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class PidfdTest : public testing::TestWithParam<int> {};

TEST_P(PidfdTest, ItsAbsenceIsTold) {
  const int code = told(GetParam(), [] { open_pidfd(::getpid()); });
  if (code == kCannotTest) {
    GTEST_SKIP() << "this kernel takes no seccomp filters";
  }
  EXPECT_EQ(code, 0);
}

TEST_P(PidfdTest, AlsoWhereAProgramIsStarted) {
  const int code = told(GetParam(), [] { run_child({.arguments = {"true"}}); });
  if (code == kCannotTest) {
    GTEST_SKIP() << "this kernel takes no seccomp filters";
  }
  EXPECT_EQ(code, 0);
}

INSTANTIATE_TEST_SUITE_P(Errors, PidfdTest, testing::Values(ENOSYS, EPERM));

}  // namespace
}  // namespace pystream::base
