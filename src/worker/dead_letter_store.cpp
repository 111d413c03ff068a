#include "worker/dead_letter_store.hpp"

#include <cstdio>
#include <ctime>

namespace pystream::worker {
namespace {

constexpr timespec kPause{.tv_sec = 0, .tv_nsec = 5'000'000};

}  // namespace

DeadLetterStore::DeadLetterStore(Monitor& monitor, std::vector<std::string> keys)
    : monitor_(monitor), keys_(std::move(keys)) {}

/// One try. False: try again later.
bool DeadLetterStore::try_store(const Letter& letter) {
  const shm::ProfileConfig& config = *monitor_.end().config;
  if (!store_) {
    store_.emplace(std::filesystem::path(std::string_view(config.path.data(), config.path_bytes)));
  }
  if (run_ == 0) {
    const std::uint64_t run = config.run.load(std::memory_order_acquire);
    if (run == shm::kNoRun) {
      run_ = store_
                 ->try_find_run({.name = std::string(config.name.data(), config.name_bytes),
                                 .coordinator_pid = config.coordinator_pid,
                                 .started = config.started})
                 .value_or(0);
    } else {
      run_ = static_cast<std::int64_t>(run);
    }
  }
  return run_ != 0 && store_->try_store({.run = run_,
                                         .stage = keys_.at(letter.hosted),
                                         .sequence = letter.sequence,
                                         .input = letter.number,
                                         .part = letter.part,
                                         .attempts = letter.attempts,
                                         .reason = letter.reason,
                                         .signal = letter.signal,
                                         .stack = letter.stack},
                                        letter.bytes);
}

void DeadLetterStore::store(const Letter& letter) {
  monitor_.set_phase(shm::Phase::blocked);  // a slow disk is no hang of the stage
  store_patiently(letter);
  monitor_.set_phase(shm::Phase::working);
}

void DeadLetterStore::store_patiently(const Letter& letter) {
  bool complained = false;
  while (true) {
    try {
      if (try_store(letter)) {
        return;
      }
    } catch (const profile::StoreError& error) {
      wait_or_fail(letter, error.what(), error.busy() || error.full(), complained);
    } catch (const std::exception& error) {
      wait_or_fail(letter, error.what(), false, complained);
    }
    if (monitor_.command() == shm::Command::stop) {
      throw Stopped{};
    }
    ::nanosleep(&kPause, nullptr);
  }
}

/// A database that there is will take the letter some day. Where none can be made there is nothing to wait for.
void DeadLetterStore::wait_or_fail(const Letter& letter, const std::string& why, bool passes, bool& complained) {
  if (!passes && run_ == 0 && monitor_.end().config->run.load(std::memory_order_relaxed) == shm::kNoRun) {
    throw StageFailed(letter.sequence, letter.reason + " (the item cannot be set aside: " + why + ")");
  }
  store_.reset();
  if (!complained) {
    std::fprintf(stderr, "a dead letter waits: %s\n", why.c_str());
    complained = true;
  }
}

}  // namespace pystream::worker
