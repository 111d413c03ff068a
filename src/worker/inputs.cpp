#include "worker/inputs.hpp"

#include <array>
#include <utility>

#include "base/mutation.hpp"
#include "worker/sleep_times.hpp"

namespace pystream::worker {
namespace {

/// A segment that sleeps for input, and retains earlier inputs for its readers, looks for releases only after this
/// time, unless a worker upstream lacks room.
constexpr std::int64_t kRetainNs = base::kKillPoints ? kSleepNs : 1'000'000;

}  // namespace

Inputs::Inputs(std::vector<shm::ConsumerEnd> links, plan::Collect collect, std::uint64_t inputs_done,
               shm::RingWriter& output, std::int64_t spin_ns)
    : output_(output), spin_ns_(spin_ns) {
  const bool collects = links.size() > 1;
  const std::span<const std::uint64_t> numbers = output.journal_input_numbers();
  links_.reserve(links.size());
  for (shm::ConsumerEnd& link : links) {
    links_.emplace_back(std::move(link), collects ? numbers[links_.size()] : inputs_done, output.oldest_referred());
  }
  if (!collects) {
    return;
  }
  const std::span all(links_);
  const std::uint32_t turn = output.journal_collect_turn();
  switch (collect) {
    case plan::Collect::turn:
      collect_.emplace<Collector>(all, Collector::Of::replicas, numbers.first(all.size()), turn, inputs_done);
      break;
    case plan::Collect::dealing:
      collect_.emplace<Collector>(all, Collector::Of::dealing, numbers.first(all.size()), turn, inputs_done);
      break;
    case plan::Collect::merge:
      collect_.emplace<Collector>(all, Collector::Of::branches, numbers.first(all.size()), turn, inputs_done);
      break;
    case plan::Collect::zip:
      collect_.emplace<Zip>(all, numbers.first(all.size()), inputs_done);
      break;
    case plan::Collect::first:
      collect_.emplace<FirstAnswer>(all, numbers.first(FirstAnswer::journal_entries(all.size())), turn, inputs_done);
      break;
  }
}

void Inputs::allow_references() {
  for (shm::RingReader& link : links_) {
    link.remember_large();
  }
}

Inputs::Place Inputs::place() const {
  Place place;
  for (const shm::RingReader& link : links_) {
    place.links.push_back(link.mark());
  }
  if (const auto* const collector = std::get_if<Collector>(&collect_)) {
    place.numbers.assign(collector->numbers().begin(), collector->numbers().end());
    place.turn = collector->turn();
  }
  return place;
}

void Inputs::release_done() {
  for (std::size_t i = 0; i < links_.size(); ++i) {
    links_[i].release(done_->links[i]);
  }
}

void Inputs::wait() {
  if (output_.refers()) {
    wait_while_referred();
    return;
  }
  output_.cease_to_ask();
  if (has_unreleased() && !base::mutated(base::Mutation::keep_stepped_over)) {
    release();  // what was dealt to others
  }
  auto* const collector = std::get_if<Collector>(&collect_);
  auto* const first = std::get_if<FirstAnswer>(&collect_);
  if (first != nullptr || (collector != nullptr && collector->waits_for_any())) {
    shm::wait_for_any(first != nullptr ? first->more() : collector->more(),
                      {.spin_ns = spin_ns_, .timeout_ns = kSleepNs});
    return;
  }
  auto* const zip = std::get_if<Zip>(&collect_);
  shm::RingReader& next = collector != nullptr ? collector->link() : zip != nullptr ? zip->link() : link();
  if (!next.try_nap()) {
    next.wait(spin_ns_, kSleepNs);
  }
}

/// What this segment passed on is still being read. While a worker upstream lacks room, the inputs must be released as
/// soon as their readers are done, or a row of workers that forward would wait for one another for ever. Otherwise
/// that can wait for the next input, if it comes soon: a wake-up for each release doubles the task switches of a hop.
void Inputs::wait_while_referred() {
  release();
  const shm::Watched more = link().more();
  const shm::Watched release_request = link().release_request();
  if ((release_request.seen & 1) == 0) {
    output_.cease_to_ask();
    if (base::mutated(base::Mutation::ignore_release_request)) {
      link().wait(spin_ns_, kSleepNs);
    }
    shm::wait_for_any(std::array{more, release_request}, {.spin_ns = spin_ns_, .timeout_ns = kRetainNs});
    if (more.changed() || release_request.changed()) {
      return;
    }
    release();
  }
  if (!base::mutated(base::Mutation::no_request_upstream)) {
    output_.ask_for_room();
  }
  if (base::mutated(base::Mutation::ignore_releases_while_asleep)) {
    link().wait(spin_ns_, kSleepNs);
  }
  shm::wait_for_any(std::array{more, output_.room()}, {.spin_ns = spin_ns_, .timeout_ns = kSleepNs});
  release();
}

}  // namespace pystream::worker
