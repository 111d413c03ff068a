#pragma once

#include <filesystem>

#include "base/unique_fd.hpp"

namespace pystream::store {

/// The lock that every write transaction and every checkpoint of a profile database is under: SQLite before 3.51.3
/// can corrupt a database when one process checkpoints while others write. A lock file beside the database; each
/// process opens it for itself, so the lock ends with the process.
class StoreLock {
 public:
  explicit StoreLock(const std::filesystem::path& database);

  /// False if another process holds it: try later. Throws std::system_error if the system refuses locks at all.
  [[nodiscard]] bool try_lock();
  /// Tries again every millisecond for so long.
  [[nodiscard]] bool lock_within(int milliseconds);
  void unlock();

  /// Unlocks at the end of a scope.
  class Held {
   public:
    explicit Held(StoreLock& lock) : lock_(lock) {}
    ~Held() { lock_.unlock(); }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;

   private:
    StoreLock& lock_;
  };

 private:
  void open();
  bool has_name() const;

  std::filesystem::path path_;
  base::UniqueFd fd_;
};

}  // namespace pystream::store
