#include "worker/dead_letter_store.hpp"

#include <cstdio>
#include <ctime>

#include "worker/letter_client.hpp"

namespace pystream::worker {
namespace {

constexpr timespec kPause{.tv_sec = 0, .tv_nsec = 5'000'000};

}  // namespace

DeadLetterStore::DeadLetterStore(Monitor& monitor, std::vector<std::string> keys)
    : monitor_(monitor), keys_(std::move(keys)) {}

/// One try. False: try again later.
bool DeadLetterStore::try_store(const Letter& letter) {
  if (!desk_) {
    auto run = letter_run(*monitor_.end().config);
    if (!run) {
      return false;
    }
    desk_.emplace(std::move(*run));
  }
  const auto result = desk_->try_keep(as_stored(letter, keys_.at(letter.hosted)), letter.bytes);
  if (result.hopeless) {
    throw StageFailed(letter.sequence, letter.reason + " (the item cannot be set aside: " + result.why + ")");
  }
  if (!result.kept && !result.why.empty() && !complained_) {
    std::fprintf(stderr, "a dead letter waits: %s\n", result.why.c_str());
    complained_ = true;
  }
  return result.kept;
}

void DeadLetterStore::store(const Letter& letter) {
  monitor_.set_phase(shm::Phase::blocked);  // a slow disk is no hang of the stage
  complained_ = false;
  while (!try_store(letter)) {
    if (monitor_.command() == shm::Command::stop) {
      throw Stopped{};
    }
    ::nanosleep(&kPause, nullptr);
  }
  monitor_.set_phase(shm::Phase::working);
}

}  // namespace pystream::worker
