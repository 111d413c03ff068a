#include "profile/home.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>

#include "support/child.hpp"

namespace pystream::profile {
namespace {

constexpr unsigned kNobodyKnows = 2'000'004'711;  ///< a user without an entry in the list of users

/// Runs `body` in a process with no variable that names a folder; gives its exit code.
int without_variables(const std::function<bool()>& body) {
  const int status = test::Child([&] {
                       for (const char* name : {"PYSTREAM_PROFILES", "XDG_STATE_HOME", "HOME"}) {
                         ::unsetenv(name);
                       }
                       ::_exit(body() ? 0 : 1);
                     }).wait();
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(HomeTest, VariablesInTheirOrder) {
  EXPECT_EQ(without_variables([] {
              ::setenv("HOME", "/home/somebody", 1);
              const bool home = usual_profiler_folder() == "/home/somebody/.local/state/pystream";
              ::setenv("XDG_STATE_HOME", "/state", 1);
              const bool state = usual_profiler_folder() == "/state/pystream";
              ::setenv("PYSTREAM_PROFILES", "profiles", 1);
              return home && state && usual_profiler_folder() == "profiles" && homeless_note().empty();
            }),
            0);
}

TEST(HomeTest, RelativeOnesWouldBeAnotherInEachFolder) {
  EXPECT_EQ(without_variables([] {
              ::setenv("HOME", "somewhere", 1);
              ::setenv("XDG_STATE_HOME", "state", 1);
              return usual_profiler_folder().is_absolute();
            }),
            0);
}

TEST(HomeTest, AUserWithoutAHomeHasAFolderOfTheirOwn) {
  if (::getuid() != 0) {
    GTEST_SKIP() << "only root can become a user whom nobody knows";
  }
  const std::filesystem::path folder = "/tmp/pystream-" + std::to_string(kNobodyKnows);
  std::filesystem::remove_all(folder);
  EXPECT_EQ(without_variables([&] {
              struct stat status {};
              return ::setuid(kNobodyKnows) == 0 && usual_profiler_folder() == folder &&
                     ::stat(folder.c_str(), &status) == 0 && (status.st_mode & 0777U) == 0700 &&
                     homeless_note().find(folder) != std::string::npos;
            }),
            0);
  std::filesystem::remove_all(folder);
}

TEST(HomeTest, AFolderOfSomebodyElseIsNotTaken) {
  if (::getuid() != 0) {
    GTEST_SKIP() << "only root can become a user whom nobody knows";
  }
  const std::filesystem::path folder = "/tmp/pystream-" + std::to_string(kNobodyKnows);
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);  // root's
  EXPECT_EQ(without_variables([&] {
              if (::setuid(kNobodyKnows) != 0) {
                return false;
              }
              try {
                usual_profiler_folder();
              } catch (const std::exception& error) {
                return std::string(error.what()).find("PYSTREAM_PROFILES") != std::string::npos;
              }
              return false;
            }),
            0);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace pystream::profile
