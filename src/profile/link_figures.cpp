#include "profile/link_figures.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <span>

#include "base/clock.hpp"
#include "profile/counters.hpp"
#include "shm/record_abi.hpp"

namespace pystream::profile {
namespace {

double share(std::uint64_t of, std::uint64_t limit) {
  return limit == 0 ? 0 : std::min(1.0, static_cast<double>(of) / static_cast<double>(limit));
}

/// The producer sleeps until a consumer has released something, and not because it lacks input itself.
bool waits_for_room(const shm::SupervisorView& view, const shm::LinkEntry& entry,
                    const shm::SupervisorView::Link& link) {
  const auto phase = static_cast<shm::Phase>(view.workers.at(entry.producer).page->phase.load());
  const auto* const first = std::begin(link.producer->asleep_at);
  return phase != shm::Phase::waiting &&
         std::any_of(first, first + link.consumers.size(), [](const auto& sleep) { return get(sleep) != 0; });
}

std::uint64_t large_inside(const shm::SupervisorView::Link& link) {
  std::uint64_t done = shm::kInvalidPosition;
  for (const shm::ConsumerPage* consumer : std::span(link.consumers).first(link.takers)) {
    done = std::min(done, get(consumer->done_large));
  }
  return minus(get(link.producer->large_written), done);
}

/// A word of the ring, which is not mapped here.
std::optional<std::uint64_t> ring_word(const shm::Segment& segment, const shm::LinkEntry& entry,
                                       std::uint64_t position) {
  std::uint64_t word = 0;
  const std::uint64_t at = entry.ring_offset + (position & (entry.ring_bytes - 1));
  const ssize_t got = ::pread(segment.fd(), &word, sizeof(word), static_cast<off_t>(at));
  return got == static_cast<ssize_t>(sizeof(word)) ? std::optional(word) : std::nullopt;
}

/// Of those that a consumer has to take.
std::uint64_t first_record(const shm::SupervisorView::Link& link) {
  return std::max(link.taken_position(), get(link.producer->tail_position));
}

/// Since the item that is to be taken next entered the pipeline; 0: there is none, or it was released meanwhile.
std::int64_t age_of_oldest(const shm::Segment& segment, const shm::LinkEntry& entry,
                           const shm::SupervisorView::Link& link) {
  const std::uint64_t position = first_record(link);
  if (entry.ring_bytes == 0 || link.producer->write_position.load(std::memory_order_acquire) <= position) {
    return 0;
  }
  const auto kind = ring_word(segment, entry, position + offsetof(shm::RecordHeader, number_and_kind));
  const auto entered = ring_word(segment, entry, position + offsetof(shm::RecordHeader, entered_ns));
  if (!kind || !entered || first_record(link) != position) {
    return 0;
  }
  const shm::RecordKind of = shm::kind_in(*kind);
  const bool item = of != shm::RecordKind::end && of != shm::RecordKind::tombstone;
  const std::int64_t age = base::now_ns() - static_cast<std::int64_t>(*entered);
  return item && *entered != 0 ? std::max<std::int64_t>(age, 0) : 0;
}

}  // namespace

LinkFigures read_link(const shm::Segment& segment, const shm::SupervisorView& view, std::uint32_t id) {
  const shm::SupervisorView::Link& link = view.links.at(id);
  const shm::LinkEntry& entry = segment.link(id);
  // The consumer's side first: so the difference is never negative.
  const std::uint64_t done = link.done_number();
  const std::uint64_t released = std::max(link.read_position(), get(link.producer->tail_position));
  LinkFigures figures{.items = done,
                      .dropped = get(link.producer->dropped),
                      .fill_items = minus(get(link.producer->written_number), done),
                      .fill_bytes = minus(get(link.producer->write_position), released)};
  if (figures.fill_items == 0) {
    return figures;
  }
  figures.fill =
      waits_for_room(view, entry, link)
          ? 1
          : std::max({share(figures.fill_bytes, entry.ring_bytes), share(figures.fill_items, entry.items_limit),
                      share(figures.fill_items, get(link.producer->time_limit)),
                      share(large_inside(link), entry.large_limit)});
  figures.oldest_ns = age_of_oldest(segment, entry, link);
  return figures;
}

}  // namespace pystream::profile
