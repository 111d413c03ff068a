#pragma once

#include <cstdint>

namespace pystream::nats {

/// The rules of src/docs/log.md by their numbers. Tests break one at a time (-DPYSTREAM_MUTATIONS), to show that the
/// output is wrong without it.
enum class Rule : std::uint8_t {
  none = 0,
  one_in_flight = 1,
  look_before_resending = 2,
  count_items = 3,
  obey_higher_epoch = 4,
  keep_last_parcel = 5,
  release_late = 6,
  ask_twin_for_gap = 7,
  wait_while_full = 9,
};

#ifdef PYSTREAM_MUTATIONS
inline Rule broken_rule = Rule::none;
inline bool broken(Rule rule) {
  return broken_rule == rule;
}
#else
constexpr bool broken(Rule) {
  return false;
}
#endif

}  // namespace pystream::nats
