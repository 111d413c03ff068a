#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "profile/letters.hpp"
#include "worker/monitor.hpp"
#include "worker/segment_runner.hpp"

namespace pystream::worker {

/// Keeps dead letters in the profile database. The stage waits until its letter is on the disk; while the database is
/// locked or the disk is full it tries again, until the worker is told to stop.
class DeadLetterStore final : public DeadLetters {
 public:
  /// `keys`: profile keys of the worker's stages. REQUIRES: the segment's ProfileConfig names a database.
  DeadLetterStore(Monitor& monitor, std::vector<std::string> keys);
  void store(const Letter& letter) override;

 private:
  void store_patiently(const profile::DeadLetter& letter, std::span<const std::byte> bytes);

  Monitor& monitor_;
  std::vector<std::string> keys_;
  std::optional<profile::LetterStore> store_;
};

}  // namespace pystream::worker
