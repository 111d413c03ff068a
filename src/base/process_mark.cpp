#include "base/process_mark.hpp"

#include <dirent.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <memory>

namespace pystream::base {
namespace {

std::atomic<std::uint64_t> g_mark{0};

void count_fork() {
  g_mark.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

std::uint64_t process_mark() noexcept {
  [[maybe_unused]] static const int kRegistered = ::pthread_atfork(nullptr, nullptr, count_fork);
  return g_mark.load(std::memory_order_relaxed);
}

std::vector<std::string> other_threads() {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc/self/task"), ::closedir);
  const std::string own = std::to_string(::gettid());
  while (const dirent* entry = folder ? ::readdir(folder.get()) : nullptr) {
    const std::string id = entry->d_name;
    if (id == "." || id == ".." || id == own) {
      continue;
    }
    std::ifstream comm("/proc/self/task/" + id + "/comm");
    std::string name;
    if (std::getline(comm, name) && !name.starts_with("pystream-")) {
      names.push_back(name);
    }
  }
  return names;
}

}  // namespace pystream::base
