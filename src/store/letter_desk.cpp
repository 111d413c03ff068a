#include "store/letter_desk.hpp"

#include <poll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "profile/wire.hpp"

namespace pystream::store {
namespace {

constexpr int kPauseMs = 5;
constexpr std::array kMayPass{ENOSPC, EDQUOT, EIO, EINTR, EAGAIN, EMFILE, ENFILE, ENOMEM, ESTALE};

struct Posted {
  LetterRun run;
  DeadLetter letter;
  std::string bytes;

  static void fields(auto& self, auto& code) { code(self.run, self.letter, self.bytes); }
};

/// Tries until the letter is kept. False if nobody waits for it any more.
bool keep(LetterDesk& desk, profile::Channel& channel, const Posted& posted) {
  std::string told;
  while (true) {
    const auto result = desk.try_keep(posted.letter, std::as_bytes(std::span(posted.bytes)));
    if (result.kept) {
      return channel.send(profile::MessageType::letter_kept, {});
    }
    if (result.why != told) {
      told = result.why;
      channel.send(profile::MessageType::letter_waits, base::encode(result));
    }
    if (channel.receive_within(kPauseMs); channel.closed()) {
      return false;
    }
  }
}

}  // namespace

bool LetterDesk::try_store(DeadLetter& letter, std::span<const std::byte> bytes) {
  if (!store_) {
    store_.emplace(run_.database);
  }
  if (run_.number == 0) {
    run_.number = store_->try_find_run(run_.unprofiled).value_or(0);
  }
  letter.run = run_.number;
  return run_.number != 0 && store_->try_store(letter, bytes);
}

/// Errors of the system that may pass: a disk that is full or fails, too little memory, too many open files.
bool may_pass(const std::system_error& error) {
  const std::error_condition condition = error.code().default_error_condition();
  return condition.category() == std::generic_category() &&
         std::ranges::find(kMayPass, condition.value()) != kMayPass.end();
}

/// A database that there is will take the letter some day. Where none can be made, or no file for a large letter, there
/// is nothing to wait for.
LetterDesk::Result LetterDesk::try_keep(DeadLetter letter, std::span<const std::byte> bytes) {
  try {
    return {.kept = try_store(letter, bytes)};
  } catch (const StoreError& error) {
    store_.reset();
    return {.hopeless = run_.number == 0 && !error.busy() && !error.full(), .why = error.what()};
  } catch (const std::system_error& error) {
    store_.reset();
    return {.hopeless = !may_pass(error), .why = error.what()};
  } catch (const std::exception& error) {
    store_.reset();
    return {.hopeless = run_.number == 0, .why = error.what()};
  }
}

std::string encode(const LetterRun& run, const DeadLetter& letter, std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return base::Encoder().put(run).put(letter).put(text).bytes();
}

int run_letter_desk(base::UniqueFd channel_fd) {
  ::prctl(PR_SET_NAME, "pystream-letter");
  try {
    profile::Channel channel(std::move(channel_fd));
    std::optional<LetterDesk> desk;
    while (!channel.closed()) {
      const auto message = channel.receive_within(1'000'000);
      if (!message || message->type != profile::MessageType::letter) {
        continue;
      }
      const Posted posted = base::decode<Posted>(message->body);
      if (!desk) {
        desk.emplace(posted.run);
      }
      if (!keep(*desk, channel, posted)) {
        break;
      }
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "the process that keeps dead letters: %s\n", error.what());
    return 1;
  }
}

}  // namespace pystream::store
