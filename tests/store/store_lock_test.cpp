#include "store/store_lock.hpp"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <tuple>

#include "support/refused_syscall.hpp"
#include "support/temp_folder.hpp"

namespace pystream::store::test {
namespace {

TEST(StoreLockTest, LockThatIsHeldIsNoError) {
  const pystream::test::TempFolder dir;
  StoreLock first(dir / "db");
  ASSERT_TRUE(first.try_lock());
  StoreLock sut(dir / "db");
  EXPECT_FALSE(sut.try_lock());
  first.unlock();
  EXPECT_TRUE(sut.try_lock());
}

TEST(StoreLockTest, SystemThatRefusesLocksIsToldByItsReason) {
  for (const int error : {EPERM, ENOLCK, EOPNOTSUPP}) {
    const pystream::test::TempFolder dir;
    const pid_t child = ::fork();
    if (child == 0) {
      StoreLock sut(dir / "db");
      if (!pystream::test::refuse_syscall(SYS_flock, static_cast<unsigned>(error))) {
        ::_exit(2);
      }
      try {
        std::ignore = sut.lock_within(1000);
      } catch (const std::system_error& told) {
        const std::string text = told.what();
        ::_exit(told.code().value() == error && text.find(dir / "db.lock") != text.npos ? 0 : 1);
      }
      ::_exit(1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    if (WEXITSTATUS(status) == 2) {
      GTEST_SKIP() << "this kernel has no filters for system calls";
    }
    EXPECT_EQ(status, 0) << std::strerror(error);
  }
}

}  // namespace
}  // namespace pystream::store::test
