#include "base/open_fds.hpp"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>
#include <mutex>
#include <set>

#include "base/system_error.hpp"

namespace pystream::base {
namespace {

rlim_t g_raised_from = 0;  ///< the limit before raise_fd_limit(); 0: it was not raised

struct Registry {
  std::mutex mutex;
  std::set<int> fds;
};

Registry& registry() {
  static Registry* const kRegistry = std::make_unique<Registry>().release();  // outlives every static Pipeline
  return *kRegistry;
}

}  // namespace

std::vector<int> open_fds() {
  std::vector<int> fds;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc/self/fd"), ::closedir);
  if (!folder) {
    return fds;
  }
  while (const dirent* entry = ::readdir(folder.get())) {
    int fd = 0;
    const char* end = entry->d_name + std::strlen(entry->d_name);
    if (std::from_chars(entry->d_name, end, fd).ptr == end && fd != ::dirfd(folder.get())) {
      fds.push_back(fd);
    }
  }
  std::sort(fds.begin(), fds.end());
  return fds;
}

void close_all_but(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  unsigned from = 0;
  for (const int fd : kept) {
    const auto keep = static_cast<unsigned>(fd);
    if (keep > from) {
      ::close_range(from, keep - 1, 0);
    }
    from = std::max(from, keep + 1);
  }
  ::close_range(from, ~0U, 0);
}

PrivateMark::PrivateMark(int fd) : fd_(fd) {
  if (fd_ >= 0) {
    const std::lock_guard lock(registry().mutex);
    registry().fds.insert(fd_);
  }
}

PrivateMark& PrivateMark::operator=(PrivateMark&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void PrivateMark::reset() {
  if (fd_ >= 0) {
    const std::lock_guard lock(registry().mutex);
    registry().fds.erase(std::exchange(fd_, -1));
  }
}

int fork_without_private_fds(const std::vector<int>& keeps) {
  Registry& all = registry();
  std::unique_lock lock(all.mutex);  // so that the child finds the set whole, and the mutex its own
  const int pid = ::fork();
  if (pid == 0) {
    for (const int fd : all.fds) {
      if (std::find(keeps.begin(), keeps.end(), fd) == keeps.end()) {
        ::close(fd);
      }
    }
    all.fds.clear();
  }
  return pid;
}

void raise_fd_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    g_raised_from = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);  // if refused, the limit stays unchanged
  }
}

void lower_fd_limit(std::uint64_t least) noexcept {
  rlimit limit{};
  if (g_raised_from > 0 && ::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = std::min(std::max<rlim_t>(g_raised_from, least), limit.rlim_cur);
    ::setrlimit(RLIMIT_NOFILE, &limit);  // lower than it is: never refused
  }
}

std::uint64_t fd_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    throw_errno("cannot read the limit of descriptors");
  }
  return limit.rlim_cur;
}

}  // namespace pystream::base
