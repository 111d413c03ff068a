#pragma once

/// Mechanisms that can be left out one at a time, to show that a test fails without them. scripts/negative_controls.sh
/// builds a library with PYSTREAM_MUTATIONS and runs the tests once for each mutation; in any other build a mutation is
/// no code at all.
namespace pystream::base {

enum class Mutation {
  none,
  journal_entry_in_place,        ///< fills the journal entry that is valid
  position_before_journal,       ///< publishes the write position before its journal entry
  release_before_commit,         ///< releases the input in work before the commit that includes it
  forget_published_outputs,      ///< emits once more what a predecessor has published
  release_referred_inputs,       ///< releases inputs that output records refer to
  release_within_run,            ///< releases a run before all of its items are done
  keep_rolled_back_jump,         ///< remembers a jump to the front of the large area that was rolled back
  take_front_in_use,             ///< takes the front of the large area while an item lies there
  map_ring_writable,             ///< maps the ring writable for its consumer
  sleep_without_position,        ///< announces a sleep without the position that was seen
  no_wake_of_consumer,           ///< publishes without a wake-up
  request_ends_sleep,            ///< takes a consumer that was woken for room for one that saw the commit
  free_by_first_consumer,        ///< treats what the first of several consumers has released as free
  free_before_follower,          ///< treats as free what the collector needs to follow the dealing
  follow_in_turn,                ///< collects in turn, however the items were dealt
  wait_for_first_consumer,       ///< waits for the first of several consumers, although another one blocks
  deal_from_first,               ///< a successor deals from the first consumer on
  no_wake_to_step_over,          ///< without room, leaves consumers asleep that were dealt nothing
  end_wakes_one,                 ///< wakes one consumer of several for the end
  keep_stepped_over,             ///< does not release what was dealt to others before it sleeps
  forget_stepped_over,           ///< a successor takes its first record for the one behind its last own
  one_input_number,              ///< journals how far it is in the first of several links only
  forget_collect_turn,           ///< does not journal whose turn it is
  collect_without_output,        ///< commits what was collected without output by a store into the valid entry
  merge_closes_each,             ///< each branch's answer ends the item in the rows around
  release_zipped_early,          ///< releases answers that wait for those of other branches
  forget_winner,                 ///< a successor chooses the first branch anew, in the middle of its answer
  forget_answered,               ///< does not journal how many items each branch has answered
  no_wake_after_death,           ///< the coordinator does not wake a dead worker's neighbours
  ignore_releases_while_asleep,  ///< sleeps for input only, although output records refer to inputs
  ignore_release_request,        ///< sleeps for input only, although a worker upstream may run out of room
  no_request_upstream,           ///< does not pass on that a worker upstream lacks room
  no_request_for_room,           ///< does not ask the consumer for room
  stale_cursor_in_run,           ///< commits an older cursor when a batch waits for room
  no_time_bound,                 ///< lets a link hold what fits, however long its consumer takes
  no_growth_when_dry,            ///< leaves the time bound as it is although it starves the consumer
  no_isolation_after_death,      ///< does not name the items of a batch that were in work at a death
};

#ifdef PYSTREAM_MUTATIONS
/// The mutation that $PYSTREAM_MUTATION names. Ends the process if there is none of that name.
Mutation active_mutation();
inline const Mutation kActiveMutation = active_mutation();
inline bool mutated(Mutation mutation) {
  return kActiveMutation == mutation;
}
#else
constexpr bool mutated(Mutation) {
  return false;
}
#endif

}  // namespace pystream::base
