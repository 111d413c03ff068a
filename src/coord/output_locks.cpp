#include "coord/output_locks.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <pystream/error.hpp>
#include <sstream>
#include <system_error>
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
    if (exists && !S_ISREG(info.st_mode)) {
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

[[noreturn]] void refuse(const std::string& name, const FileClaim& claim, std::optional<long> pid) {
  throw Error(claim.where + ": " + name + " is being written by another run (" +
              (pid ? "pid " + std::to_string(*pid) : "its process is not known here") +
              "); wait until that one has ended, or choose another output");
}

/// A folder can only be locked as a whole, and runs with different names may write into it together. So what is taken
/// is the address of a socket that stands for folder and names.
class FolderLock {
 public:
  /// REQUIRES: the folder exists.
  FolderLock(const struct stat& folder, const std::string& names)
      : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sun_family = AF_UNIX;
    const std::string name = "pystream-folder/" + std::to_string(folder.st_dev) + "/" + std::to_string(folder.st_ino) +
                             "/" + std::to_string(std::hash<std::string>()(names));
    std::memcpy(address_.sun_path + 1, name.data(), name.size());  // the zero in front makes it abstract
    size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  }

  /// As flock(2): 0 or an errno; EWOULDBLOCK: another process has it.
  int take() {
    if (!fd_ || ::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address_), size_) != 0) {
      return errno == EADDRINUSE ? EWOULDBLOCK : errno;
    }
    return ::listen(fd_.get(), 1) == 0 ? 0 : errno;
  }

  std::optional<long> holder() const {
    ucred peer{};
    socklen_t size = sizeof(peer);
    const bool known = ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address_), size_) == 0 &&
                       ::getsockopt(fd_.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid > 0;
    return known ? std::optional<long>(peer.pid) : std::nullopt;
  }

  base::UniqueFd release() { return std::move(fd_); }

 private:
  base::UniqueFd fd_;
  sockaddr_un address_{};
  socklen_t size_ = 0;
};

int lock_file(const Target& target) {
  while (::flock(target.fd.get(), (target.shared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
    if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

}  // namespace

OutputLocks::OutputLocks(const std::vector<FileClaim>& claims, const std::function<void(const std::string&)>& warn)
    : warn_(warn) {
  for (const FileClaim& claim : claims) {
    if (claim.use == FileUse::writes && !claim.names.empty()) {
      lock_folder(claim);
    } else if (claim.use == FileUse::writes) {
      lock_one_file(claim);
    }
  }
}

void OutputLocks::lock_one_file(const FileClaim& claim) {
  auto target = open_target(claim);
  if (!target || !is_new(target->fd.get(), {})) {
    return;
  }
  const int error = lock_file(*target);
  if (error == EWOULDBLOCK) {
    refuse(target->name, claim, holder_of(target->fd.get()));
  }
  if (error != 0 && !target->shared) {
    warn_of(target->name, error);
  }
  held_.push_back(std::move(target->fd));
}

void OutputLocks::lock_folder(const FileClaim& claim) {
  std::error_code ignored;  // the sink tells why a folder cannot be made
  std::filesystem::create_directories(claim.path, ignored);
  struct stat info {};
  const base::UniqueFd folder(::open(claim.path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fstat(folder.get(), &info) != 0 || !is_new(folder.get(), claim.names)) {
    return;
  }
  FolderLock lock(info, claim.names);
  const int error = lock.take();
  if (error == EWOULDBLOCK) {
    refuse(claim.path, claim, lock.holder());
  }
  if (error != 0) {
    warn_of(claim.path, error);
  }
  held_.push_back(lock.release());
}

/// False for what another stage of this run has locked.
bool OutputLocks::is_new(int fd, const std::string& names) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && seen_.emplace(info.st_dev, info.st_ino, names).second;
}

void OutputLocks::warn_of(const std::string& name, int error) const {
  warn_("cannot lock " + name + " (" + std::strerror(error) +
        "): a second run that writes it at the same time would not be noticed");
}

}  // namespace pystream::coord
