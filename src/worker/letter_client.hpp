#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "profile/wire.hpp"
#include "store/letter_desk.hpp"
#include "worker/dead_letters.hpp"
#include "worker/monitor.hpp"

namespace pystream::worker {

class LetterWait;

/// What a worker knows of a letter, as the database takes it.
store::DeadLetter as_stored(const DeadLetters::Letter& letter, const std::string& key);
/// Where a worker's letters go; nullopt while the run has no number yet.
std::optional<store::LetterRun> letter_run(const shm::ProfileConfig& config);

/// Dead letters of a worker that must not open the database, because it was forked: a helper process, which was exec'd,
/// keeps them (store/letter_desk). It starts with the first letter; one that dies is replaced. store() returns only
/// once the helper says that the letter is on the disk.
class LetterClient final : public DeadLetters {
 public:
  /// `keys`: profile keys of the worker's stages. REQUIRES: the segment's ProfileConfig names a database.
  LetterClient(std::filesystem::path program, Monitor& monitor, std::vector<std::string> keys);
  /// Ends the helper.
  ~LetterClient() override;
  LetterClient(const LetterClient&) = delete;
  LetterClient& operator=(const LetterClient&) = delete;

  void store(const Letter& letter) override;

 private:
  void start();
  void stop();
  [[nodiscard]] bool post(const Letter& letter, const store::LetterRun& run);
  [[nodiscard]] bool wait_for_answer(const Letter& letter, LetterWait& wait);

  std::filesystem::path program_;
  Monitor& monitor_;
  std::vector<std::string> keys_;
  std::optional<profile::Channel> channel_;  ///< none: no helper runs
  base::UniqueFd pidfd_;
};

}  // namespace pystream::worker
