#include "worker/source_faults.hpp"

#include <algorithm>
#include <cstdio>
#include <span>

namespace pystream::worker {

bool SourceFaults::goes_on(bool gave_items) {
  const std::span<const std::byte> cursor = chain_.source()->cursor();
  const bool moved = !std::equal(cursor.begin(), cursor.end(), cursor_.begin(), cursor_.end());
  const bool first = in_a_row_ == 0 || gave_items || moved;
  in_a_row_ = first ? 1 : in_a_row_ + 1;
  cursor_.assign(cursor.begin(), cursor.end());
  monitor_.set_stage(chain_.first());  // a failure names the source, and not a stage behind it
  const plan::FaultPolicy& policy = faults_.policy_of(0);
  const bool leaves_out = policy.on_error == plan::OnError::skip || policy.on_error == plan::OnError::dead_letter;
  return leaves_out && in_a_row_ <= policy.max_attempts;
}

void SourceFaults::leave_out(const std::string& reason) {
  constexpr std::uint32_t kMostReported = 20;
  if (++reported_ <= kMostReported) {
    std::fprintf(stderr, "item %llu is left out: %s%s\n", static_cast<unsigned long long>(flow_.next_sequence),
                 reason.c_str(), reported_ == kMostReported ? " (further ones are only counted)" : "");
  }
  flow_.number_item();
  faults_.give_up_source(flow_.tag.sequence, reason);
}

}  // namespace pystream::worker
