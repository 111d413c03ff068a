#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "base/mutation.hpp"
#include "shm/segment.hpp"
#include "shm/waiting.hpp"
#include "shm/written.hpp"

namespace pystream::shm {

/// The consumers of a link as their producer sees them: what all of them have released, how they are woken, and how
/// they are asked to release what they retain for others. One that follows the dealing keeps records in the ring; the
/// limits of items, and all that is learned from progress, concern the takers alone.
class Consumers {
 public:
  explicit Consumers(const ProducerEnd& end);

  /// Brings `freed` up to date: the least of what each has released. Only what was committed can have been released;
  /// what the link holds by this side's count bounds every value. Throws LinkCorrupt.
  void look(Freed& freed, const Written& written, std::uint64_t committed, const ProducerCheck& check);
  /// The same of the large area alone.
  void look_at_large(Freed& freed, const Written& written, const ProducerCheck& check);
  /// Until the next look(), release() is that of a consumer which left no room at the last one. `fits(freed)`: what it
  /// has released is enough.
  template <class Fits>
  void find_blocker(const Fits& fits);
  /// Every large payload before this ordinal was released.
  bool released_large(std::uint64_t ordinal) const {
    return all_of(
        [&](const Peer& peer) { return peer.page->large_ordinal.load(std::memory_order_acquire) == ordinal; });
  }
  bool released_all(std::uint64_t committed) const {
    return all_of(
        [&](const Peer& peer) { return peer.page->read_position.load(std::memory_order_acquire) == committed; });
  }
  /// Some consumer waits for more than what was committed: all of it is done, or it sleeps behind it.
  bool any_dry(std::uint64_t committed, std::uint64_t number) const;
  /// The most items that one of them may have to see before it is done with the first; untrusted.
  std::uint64_t wanted_at_once() const;
  /// All items with a smaller number are done.
  std::uint64_t done_number() const;
  /// By this consumer; untrusted.
  std::uint64_t done_number(std::uint32_t consumer) const {
    return peers_[consumer].page->done_number.load(std::memory_order_relaxed);
  }

  /// What changes when the consumer that was furthest behind at the last look() has released something since.
  Watched release() const {
    const std::size_t index = base::mutated(base::Mutation::wait_for_first_consumer) ? 0 : blocker_;
    return {
        .word = peers_[index].page->releases, .asleep_at = own_->asleep_at[index], .seen = peers_[index].seen_releases};
  }
  /// A bit for each consumer, by its index.
  using Set = std::uint64_t;
  static constexpr Set kAll = ~Set{0};
  static_assert(kMostConsumers <= 64);
  /// Wakes those of `whom` that sleep on an older write position than this, which was just stored. The others sleep on:
  /// what was written is not for them. They step over it when they are woken for more, or for room.
  void wake(std::uint64_t committed, Set whom = kAll) {
    std::atomic_thread_fence(std::memory_order_seq_cst);  // SLEEP
    if (any_asleep()) {
      wake_sleepers(committed, whom);
    }
  }

  /// From here until withdraw_request() the consumers release at once what they retain for others.
  void request_release();
  void withdraw_request() {
    if (requests_) {
      requests_ = false;
      step_request();
    }
  }
  bool requests() const { return requests_; }

 private:
  struct Peer {
    const ConsumerPage* page = nullptr;
    Freed freed;
    std::uint64_t seen_releases = 0;
    EndedSleep sleep;
  };
  template <class Holds>
  bool all_of(const Holds& holds) const {
    return std::all_of(peers_.begin(), peers_.end(), holds);
  }
  bool any_asleep() const {
    for (const Peer& peer : peers_) {
      if (peer.page->asleep_at.load(std::memory_order_relaxed) != 0) {
        return true;
      }
    }
    return false;
  }
  std::span<const Peer> takers() const { return std::span(peers_).first(takers_); }
  void look_at_done(Peer& peer, Freed& freed, const Written& written, const ProducerCheck& check) const;
  void wake_sleepers(std::uint64_t committed, Set whom);
  static void look_at_large(Peer& peer, const Written& written, const ProducerCheck& check);
  void step_request() {
    auto& request = own_->release_requested;
    request.store(request.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  std::vector<Peer> peers_;  ///< the takers first
  std::size_t takers_;
  std::size_t blocker_ = 0;  ///< index of the peer for whose releases the producer waits
  ProducerPage* own_;
  std::uint64_t ring_bytes_;
  bool requests_;  ///< own_->release_requested is odd
};

template <class Fits>
void Consumers::find_blocker(const Fits& fits) {
  const auto found = std::find_if(peers_.begin(), peers_.end(), [&](const Peer& peer) { return !fits(peer.freed); });
  if (found != peers_.end()) {
    blocker_ = static_cast<std::size_t>(found - peers_.begin());
  }
}

inline void Consumers::look_at_large(Peer& peer, const Written& written, const ProducerCheck& check) {
  Freed& freed = peer.freed;
  freed.large_position = peer.page->large_released.load(std::memory_order_acquire);
  freed.large_ordinal = peer.page->large_ordinal.load(std::memory_order_acquire);
  check(not_behind(freed.large_position, written.large_position) && freed.large_ordinal <= written.large_ordinal,
        "more large items were released than were written");
  if (freed.large_ordinal == written.large_ordinal) {
    freed.large_position = written.large_position;  // it may have been stored between the two loads
  }
}

/// The area is free as far as the one that is furthest behind the head says.
inline void Consumers::look_at_large(Freed& freed, const Written& written, const ProducerCheck& check) {
  freed.large_position = written.large_position;
  freed.large_ordinal = written.large_ordinal;
  for (Peer& peer : peers_) {
    look_at_large(peer, written, check);
    if (not_behind(peer.freed.large_position, freed.large_position)) {
      freed.large_position = peer.freed.large_position;
    }
    freed.large_ordinal = std::min(freed.large_ordinal, peer.freed.large_ordinal);
  }
}

}  // namespace pystream::shm
