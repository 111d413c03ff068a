#include "coord/launcher.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/open_fds.hpp"
#include "base/pidfd.hpp"
#include "support/child.hpp"
#include "support/link.hpp"
#include "support/temp_folder.hpp"

namespace pystream::coord {
namespace {

/// What `body` returns as the exit code of a forked worker.
int exit_code_of(const ForkLauncher::Body& body, std::vector<int> keeps = {}) {
  const base::UniqueFd segment(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  const base::UniqueFd bell(::eventfd(0, EFD_CLOEXEC));
  ForkLauncher sut(body, std::move(keeps));
  const Launched worker = sut.launch(0, {.segment = segment.get(), .bell = bell.get()});
  pollfd ended{.fd = worker.pidfd.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&ended, 1, 20'000), 1);
  const auto status = base::try_reap(worker.pidfd);
  return status ? status->code : -1;
}

/// Beside standard input, output and error.
std::vector<int> further_fds() {
  std::vector<int> fds = base::open_fds();
  std::erase_if(fds, [](int fd) { return fd <= 2; });
  return fds;
}

TEST(ForkLauncherTest, AWorkerHasNothingOfTheCoordinatorsButWhatItIsGiven) {
  const base::UniqueFd other(::open("/dev/null", O_RDONLY));
  EXPECT_EQ(exit_code_of([](plan::WorkerId, base::UniqueFd segment, base::UniqueFd bell) {
              std::vector<int> given{segment.get(), bell.get()};
              std::sort(given.begin(), given.end());
              return further_fds() == given ? 0 : 1;
            }),
            0);
}

TEST(ForkLauncherTest, WhatTheUserHasOpenIsKept) {
  const base::UniqueFd users(::open("/dev/null", O_RDONLY));
  EXPECT_EQ(exit_code_of(
                [&](plan::WorkerId, const base::UniqueFd&, const base::UniqueFd&) {
                  const std::vector<int> fds = further_fds();
                  return fds.size() == 3 && std::find(fds.begin(), fds.end(), users.get()) != fds.end() ? 0 : 1;
                },
                {users.get()}),
            0);
}

TEST(SpawnLauncherTest, AProgramThatHangsBeforeItIsAWorkerDiesWithTheCoordinator) {
  using namespace pystream::test;
  const TempFolder folder;
  const std::string program = folder.write("program", "#!/bin/sh\nexec sleep 1000\n");
  ASSERT_EQ(::chmod(program.c_str(), 0700), 0);
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  Child coordinator([&] {
    const base::UniqueFd segment(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
    const base::UniqueFd bell(::eventfd(0, EFD_CLOEXEC));
    SpawnLauncher sut(program, {});
    folder.write("pid", std::to_string(sut.launch(0, {.segment = segment.get(), .bell = bell.get()}).pid) + "\n");
    ::pause();
  });
  std::string pid;
  ASSERT_TRUE(wait_until([&] { return (pid = folder.read("pid")).ends_with('\n'); }));
  const pid_t worker = std::stoi(pid);
  ASSERT_TRUE(wait_until([&] { return read_file("/proc/" + std::to_string(worker) + "/comm") == "sleep\n"; }));
  coordinator.kill();
  EXPECT_TRUE(wait_until([&] { return ::waitpid(worker, nullptr, WNOHANG) == worker; }, std::chrono::seconds(20)));
  ::kill(worker, SIGKILL);
}

}  // namespace
}  // namespace pystream::coord
