#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/letter_desk.hpp"
#include "worker/dead_letters.hpp"
#include "worker/monitor.hpp"

namespace pystream::worker {

class LetterWait;

/// Keeps dead letters in the profile database, also of a run without a profile. The stage waits until its letter is on
/// the disk; while the database is locked or the disk is full it tries again, until the worker is told to stop.
class DeadLetterStore final : public DeadLetters {
 public:
  /// `keys`: profile keys of the worker's stages. REQUIRES: the segment's ProfileConfig names a database, and this
  /// process was exec'd; see LetterClient for those that were forked.
  DeadLetterStore(Monitor& monitor, std::vector<std::string> keys);
  void store(const Letter& letter) override;

 private:
  [[nodiscard]] bool try_store(const Letter& letter, LetterWait& wait);

  Monitor& monitor_;
  std::vector<std::string> keys_;
  std::optional<store::LetterDesk> desk_;
};

}  // namespace pystream::worker
