#include "shm/consumers.hpp"

#include "base/futex.hpp"
#include "base/mutation.hpp"

namespace pystream::shm {

Consumers::Consumers(const ProducerEnd& end)
    : takers_(shm::takers(end.link)),
      own_(end.own),
      ring_bytes_(end.link.ring_bytes),
      requests_((end.own->release_requested.load(std::memory_order_relaxed) & 1) != 0) {
  for (const ConsumerPage* page : end.peers) {
    peers_.push_back({.page = page, .freed = {}, .seen_releases = 0, .sleep = {}});
  }
  // A predecessor may have died before it woke the consumers: without room a request is made anew.
  withdraw_request();
}

void Consumers::look(Freed& freed, const Written& written, std::uint64_t committed, const ProducerCheck& check) {
  freed.position = committed;
  freed.done_number = written.number;
  freed.done_large = written.large_ordinal;
  for (Peer& peer : peers_) {
    const ConsumerPage& page = *peer.page;
    Freed& of = peer.freed;
    // First of all, so that whatever comes after what is read below ends a sleep on this.
    peer.seen_releases = page.releases.load(std::memory_order_acquire);
    // RELEASE: pairs with the consumer's store; it reads nothing before read_position any more.
    of.position = page.read_position.load(std::memory_order_acquire);
    check(of.position <= committed && committed - of.position <= ring_bytes_,
          "the read position is not within what was written");
    check(of.position % kRecordAlign == 0, "the read position is not that of a record");
    const auto index = static_cast<std::size_t>(&peer - peers_.data());
    if (base::mutated(base::Mutation::free_by_first_consumer)) {
      of.position = index == 0 ? of.position : committed;
    }
    if (base::mutated(base::Mutation::free_before_follower) && index >= takers_) {
      of.position = committed;
    }
    if (of.position < freed.position) {
      freed.position = of.position;
      blocker_ = index;
    }
  }
  look_at_large(freed, written, check);
  for (Peer& peer : peers_) {
    look_at_done(peer, freed, written, check);
  }
}

void Consumers::look_at_done(Peer& peer, Freed& freed, const Written& written, const ProducerCheck& check) const {
  const ConsumerPage& page = *peer.page;
  Freed& of = peer.freed;
  of.done_number = page.done_number.load(std::memory_order_relaxed);
  of.done_large = page.done_large.load(std::memory_order_relaxed);
  check(page.read_number.load(std::memory_order_relaxed) <= written.number && of.done_number <= written.number &&
            of.done_large <= written.large_ordinal,
        "more records were released than were written");
  if (static_cast<std::size_t>(&peer - peers_.data()) >= takers_) {
    of.done_number = written.number;  // it counts for no limit of items
    of.done_large = written.large_ordinal;
  }
  freed.done_number = std::min(freed.done_number, of.done_number);
  freed.done_large = std::min(freed.done_large, of.done_large);
}

bool Consumers::any_dry(std::uint64_t committed, std::uint64_t number) const {
  return std::ranges::any_of(takers(), [&](const Peer& peer) {
    return peer.page->done_number.load(std::memory_order_relaxed) == number ||
           peer.page->asleep_at.load(std::memory_order_relaxed) == asleep_on(committed);
  });
}

std::uint64_t Consumers::wanted_at_once() const {
  std::uint64_t most = 0;
  for (const Peer& peer : takers()) {
    most = std::max(most, peer.page->wanted_at_once.load(std::memory_order_relaxed));
  }
  return most;
}

std::uint64_t Consumers::done_number() const {
  std::uint64_t least = kInvalidPosition;
  for (const Peer& peer : takers()) {
    least = std::min(least, peer.page->done_number.load(std::memory_order_relaxed));
  }
  return least;
}

void Consumers::wake_sleepers(std::uint64_t committed, Set whom) {
  std::uint32_t bits = 0;
  for (std::size_t index = 0; index < peers_.size(); ++index) {
    Peer& peer = peers_[index];
    if ((whom >> index & 1) != 0 && peer.sleep.must_wake(peer.page->asleep_at, committed)) {
      bits |= wake_bit(index);
    }
  }
  if (bits != 0 && !base::mutated(base::Mutation::no_wake_of_consumer)) {
    base::futex_wake(own_->write_position, bits);
  }
}

void Consumers::request_release() {
  if (requests_) {
    return;
  }
  requests_ = true;
  step_request();
  std::atomic_thread_fence(std::memory_order_seq_cst);  // SLEEP
  // Not remembered: who is woken by this may go to sleep again on the same write position.
  if (any_asleep() && !base::mutated(base::Mutation::no_request_for_room)) {
    base::futex_wake(own_->release_requested);
  }
  if (base::mutated(base::Mutation::request_ends_sleep)) {
    for (Peer& peer : peers_) {
      peer.sleep.must_wake(peer.page->asleep_at, kInvalidPosition);
    }
  }
}

}  // namespace pystream::shm
