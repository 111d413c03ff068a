#include "base/log.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mutex>
#include <string>
#include <vector>

#include "base/owned_mutex.hpp"

namespace pystream::base {
namespace {

TEST(OwnedMutexTest, ItsOwnerIsRefusedAndNotStuck) {
  OwnedMutex sut;
  EXPECT_FALSE(sut.is_mine());
  {
    const std::lock_guard lock(sut);
    EXPECT_TRUE(sut.is_mine());
    EXPECT_FALSE(std::unique_lock(sut, std::try_to_lock).owns_lock());
  }
  EXPECT_FALSE(sut.is_mine());
  EXPECT_TRUE(std::unique_lock(sut, std::try_to_lock).owns_lock());
}

/// In a process of its own: it could wait for itself.
TEST(LogTest, ALoggerMayCallWhatLogs) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::alarm(60);
    std::vector<std::string> told;
    bool taken = true;
    set_logger([&](LogLevel, std::string_view text) {
      told.emplace_back(text);
      log(LogLevel::error, "within the logger");
      taken = try_log(LogLevel::error, "not now");
    });
    log(LogLevel::error, "first");
    ::_exit(told == std::vector<std::string>{"first"} && !taken ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace pystream::base
