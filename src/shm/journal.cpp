#include "shm/journal.hpp"

namespace pystream::shm {

Journal::Journal(ProducerPage& page, const ProducerCheck& check)
    : page_(&page),
      committed_(page.write_position.load(std::memory_order_acquire)),
      active_(page.journal[0].write_position == committed_ ? 0 : 1) {
  check(entry().write_position == committed_, "its journal matches the write position nowhere");
}

Written Journal::written() const {
  return {.position = committed_,
          .number = entry().next_number,
          .large_position = entry().large_position,
          .large_ordinal = entry().large_ordinal,
          .outputs = entry().outputs,
          .deal_turn =
              base::mutated(base::Mutation::deal_from_first) ? 0 : small_number_in(entry().flags, kJournalDealShift)};
}

}  // namespace pystream::shm
