#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "profile/letters.hpp"
#include "worker/monitor.hpp"
#include "worker/segment_runner.hpp"

namespace pystream::worker {

/// Keeps dead letters in the profile database, also of a run without a profile. The stage waits until its letter is on
/// the disk; while the database is locked or the disk is full it tries again, until the worker is told to stop.
class DeadLetterStore final : public DeadLetters {
 public:
  /// `keys`: profile keys of the worker's stages. REQUIRES: the segment's ProfileConfig names a database.
  DeadLetterStore(Monitor& monitor, std::vector<std::string> keys);
  void store(const Letter& letter) override;

 private:
  bool try_store(const Letter& letter);
  void store_patiently(const Letter& letter);
  void wait_or_fail(const Letter& letter, const std::string& why, bool passes, bool& complained);

  Monitor& monitor_;
  std::vector<std::string> keys_;
  std::optional<profile::LetterStore> store_;
  std::int64_t run_ = 0;  ///< in the database; 0: not known yet
};

}  // namespace pystream::worker
