#include "base/fd_places.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <string>

#include "base/open_fds.hpp"
#include "support/child.hpp"

namespace pystream::base {
namespace {

/// A file that can be told from others by its size.
int file_of(int size) {
  const int fd = ::memfd_create("file", 0);
  return ::ftruncate(fd, size) == 0 ? fd : -1;
}

int size_of(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 ? static_cast<int>(info.st_size) : -1;
}

int in_child(const std::function<int()>& body) {
  const int status = test::Child([&] { ::_exit(body()); }).wait();
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

TEST(FdPlacesTest, DescriptorsThatStandInEachOthersPlaceChangePlaces) {
  EXPECT_EQ(in_child([] {
              const int first = file_of(1);
              const int second = file_of(2);
              std::array<FdPlace, 4> places{{{first, second}, {second, first}, {first, 1}, {STDOUT_FILENO, 9}}};
              const int output = size_of(STDOUT_FILENO);
              if (!place_fds(places)) {
                return 1;
              }
              if (size_of(second) != 1 || size_of(first) != 2 || size_of(1) != 1 || size_of(9) != output) {
                return 2;
              }
              return open_fds().back() == 9 ? 0 : 3;
            }),
            0);
}

TEST(FdPlacesTest, OthersAreClosedFirstSoThatFewAreEnough) {
  EXPECT_EQ(in_child([] {
              for (int fd = ::dup(2); fd < 20; fd = ::dup(2)) {
              }
              const int file = file_of(5);
              const rlimit few{.rlim_cur = 8, .rlim_max = 8};
              ::setrlimit(RLIMIT_NOFILE, &few);
              std::array<FdPlace, 2> places{{{file, 3}, {2, 4}}};
              return place_fds(places) && size_of(3) == 5 && open_fds().size() == 5 ? 0 : 1;
            }),
            0);
}

TEST(FdPlacesTest, ARefusalOfTheSystemIsToldAndNothingIsTakenForSomethingElse) {
  for (const int limit : {3, 4, 5, 6}) {
    EXPECT_EQ(in_child([limit] {
                const int file = file_of(5);
                const rlimit few{.rlim_cur = static_cast<rlim_t>(limit), .rlim_max = static_cast<rlim_t>(limit)};
                ::setrlimit(RLIMIT_NOFILE, &few);
                std::array<FdPlace, 2> places{{{file, 6}, {2, 7}}};
                return place_fds(places) ? 1 : 0;
              }),
              0)
        << limit;
  }
}

}  // namespace
}  // namespace pystream::base
