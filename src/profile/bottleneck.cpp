#include "profile/bottleneck.hpp"

namespace pystream::profile {
namespace {

/// The stage behind the largest fall of the blocked share.
std::optional<std::size_t> end_of_blocking(std::span<const StageLoad> stages) {
  constexpr double kClearly = 0.3;
  std::optional<std::size_t> found;
  double largest = kClearly;
  for (std::size_t i = 1; i < stages.size(); ++i) {
    const double fall = stages[i - 1].blocked - stages[i].blocked;
    if (stages[i - 1].worker != stages[i].worker && fall > largest) {
      largest = fall;
      found = i;
    }
  }
  return found;
}

}  // namespace

std::optional<Bottleneck> find_bottleneck(std::span<const StageLoad> stages) {
  const std::optional<std::size_t> end = end_of_blocking(stages);
  std::optional<Bottleneck> best;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const bool eligible = !end || stages[i].worker == stages[*end].worker;
    if (eligible && (!best || stages[i].busy_s > stages[best->stage].busy_s)) {
      best = Bottleneck{.stage = i, .blocked_before = end.has_value()};
    }
  }
  return best;
}

}  // namespace pystream::profile
