#include "coord/orphan_drainer.hpp"

#include <algorithm>

#include "setup/link_names.hpp"

namespace pystream::coord {

OrphanDrainer::OrphanDrainer(const plan::Topology& topology, const shm::Segment& segment) : topology_(topology) {
  setup::naming_links(topology_, [&] { take_over(segment); });
}

void OrphanDrainer::take_over(const shm::Segment& segment) {
  for (const plan::LinkId id : topology_.fed_by_user()) {
    shm::RingWriter ring(segment.map_producer(id));
    const bool ended = (ring.journal().flags & shm::kJournalEnded) != 0;
    fed_.push_back({.ring = std::move(ring), .ended = ended});
  }
  for (const plan::LinkId id : topology_.read_by_user()) {
    shm::ConsumerEnd end = segment.map_consumer(id);
    const std::uint64_t done = end.own->done_number.load(std::memory_order_relaxed);
    read_.push_back({.ring = shm::RingReader(std::move(end), done), .ended = false});
  }
}

void OrphanDrainer::end(Fed& link) {
  if (link.ended || !link.ring.try_mark(shm::RecordKind::end, {})) {
    return;
  }
  link.ring.commit(
      {.inputs_done = link.ring.journal().inputs_done.load(std::memory_order_relaxed), .flags = shm::kJournalEnded});
  link.ended = true;
}

void OrphanDrainer::discard(Read& link) {
  while (const shm::Record* record = link.ended ? nullptr : link.ring.try_peek()) {
    link.ended = record->kind == shm::RecordKind::end;
    discarded_ += record->is_item() ? 1 : 0;
    link.ring.advance();
    link.ring.release();
  }
}

void OrphanDrainer::advance() {
  setup::naming_links(topology_, [this] {
    std::for_each(fed_.begin(), fed_.end(), end);
    for (Read& link : read_) {
      discard(link);
    }
  });
}

bool OrphanDrainer::ended() const {
  return std::all_of(read_.begin(), read_.end(), [](const Read& link) { return link.ended; });
}

}  // namespace pystream::coord
