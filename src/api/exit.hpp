#pragma once

#include <chrono>
#include <mutex>

#include "api/entry.hpp"
#include "shm/ring_reader.hpp"

namespace pystream::api {

/// The user's end of the last link. Several threads take turns.
///
/// With Results::newest the link drops the oldest: its producer overwrites what was not read, so the pipeline never
/// waits for this end, and what is read here is the newest that was published when it was looked for.
class Exit {
 public:
  Exit(Session& session, plan::LinkId link, WaitOptions waiting);

  /// A result; waits for it as the options say.
  [[nodiscard]] bool take(const Decode& decode);
  /// As take(), and what else has come out, at most `limit` results in all; how many. What `decode` throws of a later
  /// one than the first leaves that one unread, and comes out of the next call.
  [[nodiscard]] std::size_t take_all(std::size_t limit, const Decode& decode);

 private:
  using Clock = std::chrono::steady_clock;

  using Lock = std::unique_lock<std::timed_mutex>;

  [[nodiscard]] Lock take_turn(Deadline& until);
  [[nodiscard]] bool take_now(const Decode& decode);
  [[nodiscard]] bool wait_and_take(Deadline& until, const Decode& decode);

  Session& session_;
  WaitOptions waiting_;
  std::int64_t spin_ns_;
  std::timed_mutex mutex_;
  shm::RingReader ring_;
};

}  // namespace pystream::api
