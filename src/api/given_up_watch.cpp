#include "api/given_up_watch.hpp"

#include <algorithm>

#include "coord/worker_pages.hpp"

namespace pystream::api {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds kFirstPause = 1s;
constexpr std::chrono::nanoseconds kLongestPause = 60s;

std::string text_of(const GivenUpItems& stage) {
  const std::string item = stage.last_item ? "item " + std::to_string(*stage.last_item) : "an item";
  std::string text = "stage " + stage.key;
  if (stage.count == 1) {
    text += " gave up " + item;
  } else {
    text += " has given up " + std::to_string(stage.count) + " items";
    text += stage.last_item ? ", the last was " + item : "";
  }
  text += stage.last_reason.empty() ? "" : ": " + stage.last_reason;
  return text + "; dead_letters() returns those that are stored";
}

}  // namespace

std::vector<GivenUpItems> read_given_up(const plan::Topology& topology, const shm::SupervisorView& view) {
  std::vector<GivenUpItems> all;
  for (const plan::PlacedStage& placed : topology.stages) {
    const auto& worker = view.workers[placed.worker];
    GivenUpItems& stage = all.emplace_back();
    stage.key = placed.key;
    stage.count = worker.stats[placed.index].errors.load(std::memory_order_relaxed);
    if (const auto last = coord::read_given_up(worker); last && last->stage == placed.index) {
      stage.last_item = last->sequence;
      stage.last_reason = last->reason;
    }
  }
  return all;
}

std::vector<std::string> GivenUpWatch::look(const std::vector<GivenUpItems>& stages, std::chrono::nanoseconds now,
                                            bool at_end) {
  told_.resize(std::max(told_.size(), stages.size()));
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    Told& told = told_[i];
    if (stages[i].count <= told.count || (!at_end && told.count > 0 && now < told.next)) {
      continue;
    }
    texts.push_back(text_of(stages[i]));
    told.count = stages[i].count;
    told.pause = std::clamp(2 * told.pause, kFirstPause, kLongestPause);
    told.next = now + told.pause;
  }
  return texts;
}

}  // namespace pystream::api
