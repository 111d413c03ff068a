#include "base/mutation.hpp"

#ifdef PYSTREAM_MUTATIONS

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace pystream::base {
namespace {

constexpr std::array<std::string_view, 38> kNames{"none",
                                                  "journal_entry_in_place",
                                                  "position_before_journal",
                                                  "release_before_commit",
                                                  "forget_published_outputs",
                                                  "release_referred_inputs",
                                                  "release_within_run",
                                                  "keep_rolled_back_jump",
                                                  "take_front_in_use",
                                                  "map_ring_writable",
                                                  "sleep_without_position",
                                                  "no_wake_of_consumer",
                                                  "request_ends_sleep",
                                                  "free_by_first_consumer",
                                                  "free_before_follower",
                                                  "follow_in_turn",
                                                  "wait_for_first_consumer",
                                                  "deal_from_first",
                                                  "no_wake_to_step_over",
                                                  "end_wakes_one",
                                                  "keep_stepped_over",
                                                  "forget_stepped_over",
                                                  "one_input_number",
                                                  "forget_collect_turn",
                                                  "collect_without_output",
                                                  "merge_closes_each",
                                                  "release_zipped_early",
                                                  "forget_winner",
                                                  "forget_answered",
                                                  "no_wake_after_death",
                                                  "ignore_releases_while_asleep",
                                                  "ignore_release_request",
                                                  "no_request_upstream",
                                                  "no_request_for_room",
                                                  "stale_cursor_in_run",
                                                  "no_time_bound",
                                                  "no_growth_when_dry",
                                                  "no_isolation_after_death"};

}  // namespace

Mutation active_mutation() {
  const char* const wanted = std::getenv("PYSTREAM_MUTATION");
  if (wanted == nullptr) {
    return Mutation::none;
  }
  const auto* const found = std::ranges::find(kNames, std::string_view(wanted));
  if (found == kNames.end()) {
    std::fprintf(stderr, "PYSTREAM_MUTATION: there is no mutation \"%s\"; see src/base/mutation.hpp\n", wanted);
    std::abort();
  }
  return static_cast<Mutation>(found - kNames.begin());
}

}  // namespace pystream::base

#endif
