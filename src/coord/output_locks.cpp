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
    // Reopened: a lock on the inherited description would last as long as any process has that.
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

/// Takes the address: as flock(2), 0 or an errno; EWOULDBLOCK: another process has it.
int bind_to(int fd, const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());  // the zero in front makes it abstract
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (fd < 0 || ::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) != 0) {
    return errno == EADDRINUSE ? EWOULDBLOCK : errno;
  }
  return 0;
}

/// What has to be made for that path, outermost first.
std::vector<std::filesystem::path> missing_of(const std::filesystem::path& path) {
  struct stat info {};
  if (path.empty() || ::lstat(path.c_str(), &info) == 0) {
    return {};
  }
  auto missing = missing_of(path.has_filename() ? path.parent_path() : path.parent_path().parent_path());
  missing.push_back(path);
  return missing;
}

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
  try {
    lock(claims);
  } catch (...) {
    remove_unused();
    throw;
  }
}

OutputLocks::~OutputLocks() {
  remove_unused();
}

void OutputLocks::lock(const std::vector<FileClaim>& claims) {
  for (const FileClaim& claim : claims) {
    if (claim.use == FileUse::writes && !claim.names.empty()) {
      lock_folder(claim);
    } else if (claim.use == FileUse::writes) {
      lock_one_file(claim);
    }
  }
}

void OutputLocks::remove_unused() {
  for (; !made_.empty(); made_.pop_back()) {
    struct stat info {};
    const char* path = made_.back().c_str();
    if (::lstat(path, &info) == 0 && S_ISREG(info.st_mode) && info.st_size == 0) {
      ::unlink(path);
    } else {
      ::rmdir(path);  // fails for what is no folder, or not empty
    }
  }
}

void OutputLocks::lock_one_file(const FileClaim& claim) {
  const auto missing = claim.standard() ? std::vector<std::filesystem::path>() : missing_of(claim.path);
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
  hold_name_of(claim, target->fd.get(), target->name);
  made_.insert(made_.end(), missing.begin(), missing.end());  // not before: it could be another run's by now
  held_.push_back(std::move(target->fd));
}

/// A run that writes a file for each item may replace this one.
void OutputLocks::hold_name_of(const FileClaim& claim, int file, const std::string& name) {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(file), error);
  struct stat folder {};
  if (!error && path.is_absolute() && ::stat(path.parent_path().c_str(), &folder) == 0) {
    hold({.device = folder.st_dev,
          .inode = folder.st_ino,
          .pid = ::getpid(),
          .one_file = true,
          .names = path.filename().string()},
         claim, name);
  }
}

void OutputLocks::lock_folder(const FileClaim& claim) {
  const auto missing = missing_of(claim.path);
  std::error_code ignored;  // the sink tells why a folder cannot be made
  std::filesystem::create_directories(claim.path, ignored);
  struct stat info {};
  const base::UniqueFd folder(::open(claim.path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fstat(folder.get(), &info) != 0 || !is_new(folder.get(), claim.names)) {
    return;
  }
  hold({.device = info.st_dev, .inode = info.st_ino, .pid = ::getpid(), .names = claim.names}, claim,
       claim.path + " (" + claim.names + ")");
  made_.insert(made_.end(), missing.begin(), missing.end());
}

/// First takes the address and then looks at those of others: of two runs that begin at the same instant at least one
/// sees the other.
void OutputLocks::hold(const FolderHold& folder, const FileClaim& claim, const std::string& what) {
  const std::string address = folder.address();
  if (!addresses_.insert(address).second) {
    return;
  }
  base::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int error = bind_to(socket.get(), address);
  if (error == EWOULDBLOCK && !folder.one_file) {
    refuse(what, claim, folder.pid);
  }
  const auto others = held_folders();
  const int unseen = others ? error : errno;
  if (unseen != 0 && !folder.one_file) {
    warn_of(what, unseen);
  }
  for (const std::string& name : others.value_or(std::vector<std::string>())) {
    const auto other = addresses_.contains(name) ? std::nullopt : FolderHold::from_address(name);
    if (other && other->meets(folder)) {
      refuse(what, claim, other->pid);
    }
  }
  held_.push_back(std::move(socket));
}

/// False for what another stage of this run has locked.
bool OutputLocks::is_new(int fd, const std::string& names) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && seen_.emplace(info.st_dev, info.st_ino, names).second;
}

void OutputLocks::warn_of(const std::string& name, int error) const {
  warn_("cannot lock " + name + " (" + std::strerror(error) +
        "): a second run that writes to it at the same time would not be detected");
}

}  // namespace pystream::coord
