#include "worker/dead_letter_store.hpp"

#include <cstdio>
#include <ctime>

namespace pystream::worker {
namespace {

constexpr timespec kPause{.tv_sec = 0, .tv_nsec = 5'000'000};

}  // namespace

DeadLetterStore::DeadLetterStore(Monitor& monitor, std::vector<std::string> keys)
    : monitor_(monitor), keys_(std::move(keys)) {}

void DeadLetterStore::store(const Letter& letter) {
  const shm::ProfileConfig& config = *monitor_.end().config;
  const profile::DeadLetter kept{.run = static_cast<std::int64_t>(config.run),
                                 .stage = keys_.at(letter.hosted),
                                 .sequence = letter.sequence,
                                 .input = letter.number,
                                 .part = letter.part,
                                 .attempts = letter.attempts,
                                 .reason = letter.reason,
                                 .signal = letter.signal,
                                 .stack = letter.stack};
  monitor_.set_phase(shm::Phase::blocked);  // a slow disk is no hang of the stage
  store_patiently(kept, letter.bytes);
  monitor_.set_phase(shm::Phase::working);
}

void DeadLetterStore::store_patiently(const profile::DeadLetter& letter, std::span<const std::byte> bytes) {
  const shm::ProfileConfig& config = *monitor_.end().config;
  bool complained = false;
  while (true) {
    try {
      if (!store_) {
        store_.emplace(std::filesystem::path(std::string_view(config.path.data(), config.path_bytes)));
      }
      if (store_->try_store(letter, bytes)) {
        return;
      }
    } catch (const std::exception& error) {
      store_.reset();
      if (!complained) {
        std::fprintf(stderr, "a dead letter waits: %s\n", error.what());
        complained = true;
      }
    }
    if (monitor_.command() == shm::Command::stop) {
      throw Stopped{};
    }
    ::nanosleep(&kPause, nullptr);
  }
}

}  // namespace pystream::worker
