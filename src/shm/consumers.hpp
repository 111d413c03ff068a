#pragma once

#include <cstdint>

#include "base/futex.hpp"
#include "shm/segment.hpp"
#include "shm/waiting.hpp"
#include "shm/written.hpp"

namespace pystream::shm {

/// The consumer of a link as its producer sees it: what it has released, how it is woken, and how it is asked to
/// release what it retains for others.
class Consumers {
 public:
  explicit Consumers(const ProducerEnd& end);

  /// Brings `freed` up to date. Only what was committed can have been released; what the link holds by this side's
  /// count bounds every value. Throws LinkCorrupt.
  void look(Freed& freed, const Written& written, std::uint64_t committed, const ProducerCheck& check);
  /// The same of the large area alone.
  void look_at_large(Freed& freed, const Written& written, const ProducerCheck& check) const;
  /// Every large payload before this ordinal was released.
  bool released_large(std::uint64_t ordinal) const {
    return page_->large_ordinal.load(std::memory_order_acquire) == ordinal;
  }
  bool released_all(std::uint64_t committed) const {
    return page_->read_position.load(std::memory_order_acquire) == committed;
  }
  std::uint64_t done_number() const { return page_->done_number.load(std::memory_order_relaxed); }

  /// What changes when something was released since look().
  Watched release() const { return {.position = page_->releases, .sleeps = own_->sleeps, .seen = seen_releases_}; }
  /// Ends a sleep on `word`, which was just stored.
  void wake(const std::atomic<std::uint64_t>& word);

  /// From here until withdraw_request() the consumer releases at once what it retains for others.
  void request_release();
  void withdraw_request() {
    if (requests_) {
      requests_ = false;
      auto& request = own_->lacks_room;
      request.store(request.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
  }
  bool requests() const { return requests_; }

 private:
  const ConsumerPage* page_;
  ProducerPage* own_;
  std::uint64_t ring_bytes_;
  std::uint64_t seen_releases_ = 0;
  std::uint64_t ended_sleep_ = 0;  ///< of the consumer, already ended
  bool requests_;                  ///< own_->lacks_room is odd
};

inline void Consumers::look_at_large(Freed& freed, const Written& written, const ProducerCheck& check) const {
  freed.large_position = page_->large_released.load(std::memory_order_acquire);
  freed.large_ordinal = page_->large_ordinal.load(std::memory_order_acquire);
  check(not_behind(freed.large_position, written.large_position) && freed.large_ordinal <= written.large_ordinal,
        "more large items were released than were written");
}

inline void Consumers::wake(const std::atomic<std::uint64_t>& word) {
  if (const std::uint64_t sleep = asleep(page_->sleeps);
      sleep != 0 && sleep != ended_sleep_ && base::futex_wake(word)) {
    ended_sleep_ = sleep;
  }
}

}  // namespace pystream::shm
