#include "store/store_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <ctime>

#include "base/system_error.hpp"

namespace pystream::store {

StoreLock::StoreLock(const std::filesystem::path& database) : path_(database.string() + ".lock") {
  open();
}

void StoreLock::open() {
  fd_.reset(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd_) {
    base::throw_errno("cannot open the lock file " + path_.string() +
                      " (PYSTREAM_PROFILES, or profiler.folder in the plan, names another folder)");
  }
}

/// Somebody may have deleted the file together with the database; a lock on a nameless file excludes nobody.
bool StoreLock::has_name() const {
  struct stat mine {};
  struct stat named {};
  return ::fstat(fd_.get(), &mine) == 0 && ::stat(path_.c_str(), &named) == 0 && mine.st_ino == named.st_ino &&
         mine.st_dev == named.st_dev;
}

bool StoreLock::try_lock() {
  const bool locked = ::flock(fd_.get(), LOCK_EX | LOCK_NB) == 0;
  if (!locked && errno != EWOULDBLOCK && errno != EINTR) {
    base::throw_errno("cannot lock " + path_.string() +
                      "; a profile needs a folder on a file system with locks (\"profiler\": {\"folder\": ...})");
  }
  if (has_name()) {
    return locked;
  }
  open();
  return false;
}

bool StoreLock::lock_within(int milliseconds) {
  for (int i = 0; !try_lock(); ++i) {
    if (i >= milliseconds) {
      return false;
    }
    const timespec pause{.tv_sec = 0, .tv_nsec = 1'000'000};
    ::nanosleep(&pause, nullptr);
  }
  return true;
}

void StoreLock::unlock() {
  ::flock(fd_.get(), LOCK_UN);
}

}  // namespace pystream::store
