#include "worker/letter_client.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <csignal>

#include "base/helper_process.hpp"
#include "base/pidfd.hpp"
#include "base/system_error.hpp"
#include "worker/letter_wait.hpp"

namespace pystream::worker {
namespace {

constexpr int kLookMs = 20;         ///< between two looks whether the worker is told to stop
constexpr int kEndMs = 1'000;       ///< for a helper whose channel was closed
constexpr int kMostVainDeaths = 5;  ///< of helpers that did not answer

}  // namespace

store::DeadLetter as_stored(const DeadLetters::Letter& letter, const std::string& key) {
  return {.stage = key,
          .sequence = letter.sequence,
          .input = letter.number,
          .part = letter.part,
          .attempts = letter.attempts,
          .reason = letter.reason,
          .signal = letter.signal,
          .stack = letter.stack};
}

std::optional<store::LetterRun> letter_run(const shm::ProfileConfig& config) {
  const std::uint64_t run = config.run.load(std::memory_order_acquire);
  if (run == shm::kRunNotYet) {
    return std::nullopt;
  }
  return store::LetterRun{.database = std::string_view(config.path.data(), config.path_bytes),
                          .number = run == shm::kNoRun ? 0 : static_cast<std::int64_t>(run),
                          .unprofiled = {.name = std::string(config.name.data(), config.name_bytes),
                                         .coordinator_pid = config.coordinator_pid,
                                         .started = config.started}};
}

LetterClient::LetterClient(std::filesystem::path program, Monitor& monitor, std::vector<std::string> keys)
    : program_(std::move(program)), monitor_(monitor), keys_(std::move(keys)) {}

LetterClient::~LetterClient() {
  stop();
}

void LetterClient::start() {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) {
    base::throw_errno("cannot make a socket for the process that keeps dead letters");
  }
  profile::Channel mine{base::UniqueFd(fds[0])};
  const base::UniqueFd its(fds[1]);
  const pid_t pid =
      base::start_helper({.arguments = {program_.string(), "letters"}, .fds = {its.get()}, .dies_with_parent = true});
  pidfd_ = base::open_pidfd(pid);
  channel_.emplace(std::move(mine));
}

/// The helper ends by itself once its channel is closed, unless it hangs.
void LetterClient::stop() {
  channel_.reset();
  if (!pidfd_) {
    return;
  }
  pollfd poll{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&poll, 1, kEndMs) <= 0) {
    base::send_signal(pidfd_, SIGKILL);
    ::poll(&poll, 1, kEndMs);
  }
  try {
    base::try_reap(pidfd_);
  } catch (const std::system_error&) {  // it becomes init's with the end of this worker
  }
  pidfd_.reset();
}

bool LetterClient::post(const Letter& letter, const store::LetterRun& run) {
  if (!channel_) {
    start();
  }
  const store::DeadLetter stored = as_stored(letter, keys_.at(letter.stage));
  return channel_->send(profile::MessageType::letter, store::encode(run, stored, letter.bytes));
}

/// True once the letter is on the disk; false if the helper died before.
bool LetterClient::wait_for_answer(const Letter& letter, LetterWait& wait) {
  while (true) {
    const auto answer = channel_->receive_within(kLookMs);
    if (answer && answer->type == profile::MessageType::letter_kept) {
      return true;
    }
    if (answer && answer->type == profile::MessageType::letter_waits) {
      const auto waiting = base::decode<store::LetterDesk::Result>(answer->body);
      if (waiting.hopeless) {
        throw StageFailed(letter.sequence,
                          letter.reason + " (the item cannot become a dead letter: " + waiting.why + ")");
      }
      if (!waiting.why.empty()) {
        wait.complain(waiting.why);
      }
    }
    if (channel_->closed()) {
      return false;
    }
    if (!answer) {
      wait.note_waited(kLookMs * std::int64_t{1'000'000});
    }
    monitor_.check_stop();
  }
}

void LetterClient::store(const Letter& letter) {
  LetterWait wait(monitor_);
  std::optional<store::LetterRun> run;
  while (!(run = letter_run(*monitor_.end().config))) {
    wait.pause();
  }
  for (int deaths = 0; !post(letter, *run) || !wait_for_answer(letter, wait);) {
    stop();
    if (++deaths > kMostVainDeaths) {
      throw StageFailed(letter.sequence, letter.reason +
                                             " (the item cannot become a dead letter: " + program_.string() +
                                             ", which keeps dead letters, ends before it has kept one)");
    }
    wait.pause();
  }
}

}  // namespace pystream::worker
