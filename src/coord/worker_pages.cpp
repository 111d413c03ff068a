#include "coord/worker_pages.hpp"

#include <algorithm>
#include <atomic>

namespace pystream::coord {

void write_start(shm::ControlPage& control, const StartWorker& start, std::uint64_t items_limit) {
  control.incarnation.store(start.incarnation, std::memory_order_relaxed);
  control.attempt_number.store(start.attempt_number.value_or(shm::kInvalidPosition), std::memory_order_relaxed);
  control.attempts.store(start.deaths, std::memory_order_relaxed);
  control.seen_until.store(start.seen_until, std::memory_order_relaxed);
  control.isolate_until.store(start.isolate_until, std::memory_order_relaxed);
  control.give_up.store(start.give_up ? 1 : 0, std::memory_order_relaxed);
  control.only_ends.store(start.only_ends ? 1 : 0, std::memory_order_relaxed);
  if (start.only_ends) {
    // A predecessor may have been told to stop at once.
    control.command.store(static_cast<std::uint32_t>(shm::Command::run), std::memory_order_relaxed);
  }
  control.died_segment.store(start.segment, std::memory_order_relaxed);
  control.died_stage.store(start.stage, std::memory_order_relaxed);
  control.died_signal = static_cast<std::uint32_t>(start.signal);
  std::string death = start.death + "\n" + start.stack;
  if (death.size() > shm::kDeathText) {
    death.resize(death.rfind('\n', shm::kDeathText));  // whole lines
  }
  control.death_bytes = static_cast<std::uint32_t>(death.copy(control.death_text.data(), shm::kDeathText));
  control.items_limit.store(items_limit, std::memory_order_relaxed);
}

bool is_attached(const WorkerPages& pages) {
  return pages.page->incarnation.load(std::memory_order_acquire) ==
         pages.control->incarnation.load(std::memory_order_relaxed) + 1;
}

/// One that failed at its start never was; it has not died yet when its page says so.
bool is_ready(const WorkerPages& pages) {
  if (!is_attached(pages)) {
    return false;
  }
  const auto phase = static_cast<shm::Phase>(pages.page->phase.load(std::memory_order_acquire));
  const auto failure = static_cast<shm::FailureKind>(pages.page->failure_kind.load(std::memory_order_acquire));
  return phase >= shm::Phase::waiting && !(phase == shm::Phase::failed && failure == shm::FailureKind::start);
}

WorkerView read_view(const WorkerPages& pages) {
  const shm::WorkerPage& page = *pages.page;
  if (!is_attached(pages)) {
    // The rest of the page is its predecessor's; the commits are counted over all starts.
    return {.commits = page.commits.load(std::memory_order_relaxed)};
  }
  const auto phase = static_cast<shm::Phase>(page.phase.load(std::memory_order_acquire));
  WorkerView view{.finished = phase == shm::Phase::finished,
                  .working = phase == shm::Phase::working,
                  .cleaning = phase == shm::Phase::cleaning,
                  .stage = page.stage.load(std::memory_order_relaxed),
                  .segment = page.segment.load(std::memory_order_relaxed),
                  .number = {},
                  .sequence = page.sequence.load(std::memory_order_relaxed),
                  .commits = page.commits.load(std::memory_order_relaxed),
                  .failure = {},
                  .failure_sequence = {}};
  if (const std::uint64_t number = page.number.load(std::memory_order_relaxed); number != shm::kInvalidPosition) {
    view.number = number;
    view.in_flight = page.in_flight.load(std::memory_order_relaxed);
  }
  if (const auto kind = page.failure_kind.load(std::memory_order_acquire); kind != 0) {
    view.start_failed = kind == static_cast<std::uint32_t>(shm::FailureKind::start);
    view.link_damaged = kind == static_cast<std::uint32_t>(shm::FailureKind::link);
    const std::size_t size = std::min<std::size_t>(page.failure_bytes, page.failure_text.size());
    view.failure.assign(page.failure_text.data(), size);
    if (view.failure.empty()) {
      view.failure = "it gave no reason";
    }
    if (page.failure_sequence != shm::kInvalidPosition) {
      view.failure_sequence = page.failure_sequence;
    }
  }
  return view;
}

std::optional<GivenUp> read_given_up(const WorkerPages& pages) {
  const shm::WorkerPage& page = *pages.page;
  const std::uint64_t count = page.given_up.load(std::memory_order_acquire);
  if (count == 0) {
    return std::nullopt;
  }
  const shm::GivenUpItem item = page.given_up_items[(count - 1) % 2];
  std::atomic_thread_fence(std::memory_order_acquire);
  if (page.given_up.load(std::memory_order_relaxed) != count) {
    return std::nullopt;  // the next but one overwrites it
  }
  return GivenUp{.stage = item.stage,
                 .sequence = item.sequence,
                 .attempts = item.attempts,
                 .reason = std::string(item.text.data(), std::min<std::size_t>(item.text_bytes, item.text.size()))};
}

}  // namespace pystream::coord
