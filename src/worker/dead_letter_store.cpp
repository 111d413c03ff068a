#include "worker/dead_letter_store.hpp"

#include "worker/letter_client.hpp"
#include "worker/letter_wait.hpp"

namespace pystream::worker {
DeadLetterStore::DeadLetterStore(Monitor& monitor, std::vector<std::string> keys)
    : monitor_(monitor), keys_(std::move(keys)) {}

/// One try. False: try again later.
bool DeadLetterStore::try_store(const Letter& letter, LetterWait& wait) {
  if (!desk_) {
    auto run = letter_run(*monitor_.end().config);
    if (!run) {
      return false;
    }
    desk_.emplace(std::move(*run));
  }
  const auto result = desk_->try_keep(as_stored(letter, keys_.at(letter.stage)), letter.bytes);
  if (result.hopeless) {
    throw StageFailed(letter.sequence, letter.reason + " (the item cannot become a dead letter: " + result.why + ")");
  }
  if (!result.kept && !result.why.empty()) {
    wait.complain(result.why);
  }
  return result.kept;
}

void DeadLetterStore::store(const Letter& letter) {
  LetterWait wait(monitor_);
  while (!try_store(letter, wait)) {
    wait.pause();
  }
}

}  // namespace pystream::worker
