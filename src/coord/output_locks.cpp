#include "coord/output_locks.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <pystream/error.hpp>
#include <set>
#include <sstream>
#include <utility>

namespace pystream::coord {
namespace {

struct Target {
  std::string name;  ///< for messages
  base::UniqueFd fd;
  bool shared = false;
};

/// nullopt: nothing to lock. (What cannot be opened is the sink's to tell.)
std::optional<Target> open_target(const FileClaim& claim) {
  const std::optional<int> inherited = claim.standard() ? std::optional(STDOUT_FILENO) : descriptor_named(claim.path);
  Target target{.name = claim.standard() ? "standard output" : claim.path, .shared = inherited.has_value()};
  if (inherited) {
    // Opened anew: a lock on the descriptor itself would last as long as any process has it.
    target.fd.reset(::open(("/proc/self/fd/" + std::to_string(*inherited)).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  } else {
    struct stat info {};
    const bool exists = ::stat(claim.path.c_str(), &info) == 0;
    if ((exists && !S_ISREG(info.st_mode)) || (!exists && !claim.names.empty())) {
      return std::nullopt;
    }
    target.fd.reset(::open(claim.path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666));
    if (!target.fd) {
      target.fd.reset(::open(claim.path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK));  // a file that only takes
    }
  }
  struct stat info {};
  const bool regular = target.fd && ::fstat(target.fd.get(), &info) == 0 && S_ISREG(info.st_mode);
  return regular ? std::optional(std::move(target)) : std::nullopt;
}

/// Who holds a lock on that file, by /proc/locks: "1: FLOCK  ADVISORY  WRITE 708 fe:00:468 0 EOF". A file system may
/// give its device another number there than in stat().
std::optional<long> holder_of(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) {
    return std::nullopt;
  }
  const std::string ending = ":" + std::to_string(info.st_ino);
  std::ifstream locks("/proc/locks");
  std::string line;
  while (std::getline(locks, line)) {
    std::istringstream words(line);
    std::string number, kind, advisory, access, place;
    long pid = 0;
    if (words >> number >> kind >> advisory >> access >> pid >> place && kind == "FLOCK" && place.ends_with(ending) &&
        pid > 0) {
      return pid;
    }
  }
  return std::nullopt;
}

[[noreturn]] void refuse(const Target& target, const FileClaim& claim) {
  const std::optional<long> pid = holder_of(target.fd.get());
  throw Error(claim.where + ": " + target.name + " is being written by another run (" +
              (pid ? "pid " + std::to_string(*pid) : "its process is not known here") +
              "); wait until that one has ended, or choose another output");
}

}  // namespace

OutputLocks::OutputLocks(const std::vector<FileClaim>& claims, const std::function<void(const std::string&)>& warn) {
  std::set<std::pair<dev_t, ino_t>> locked;
  for (const FileClaim& claim : claims) {
    auto target = claim.use == FileUse::writes ? open_target(claim) : std::nullopt;
    if (!target) {
      continue;
    }
    struct stat info {};
    if (::fstat(target->fd.get(), &info) != 0 || !locked.emplace(info.st_dev, info.st_ino).second) {
      continue;  // by another stage of this run
    }
    const int operation = (target->shared ? LOCK_SH : LOCK_EX) | LOCK_NB;
    int result = 0;
    while ((result = ::flock(target->fd.get(), operation)) != 0 && errno == EINTR) {
    }
    if (result != 0 && errno == EWOULDBLOCK) {
      refuse(*target, claim);
    }
    if (result != 0 && !target->shared) {
      warn("cannot lock " + target->name + " (" + std::strerror(errno) +
           "): a second run that writes it at the same time would not be noticed");
    }
    files_.push_back(std::move(target->fd));
  }
}

}  // namespace pystream::coord
