#include "shm/eviction.hpp"

namespace pystream::shm {

Freed Eviction::find_tail(const Written& written, const ProducerCheck& check) const {
  Freed freed{.position = tail_->load(std::memory_order_relaxed),
              .large_position = written.large_position,
              .large_ordinal = written.large_ordinal,
              .done_number = written.number,
              .done_large = written.large_ordinal};
  check(freed.position <= written.position && written.position - freed.position <= ring_.mask + 1,
        "the tail is not within what was written");
  bool found = false;
  bool found_large = false;
  for_each_record(ring_, freed.position, written.position, check,
                  [&](const RecordHeader& header, const std::byte* bytes, std::uint64_t) {
                    if (!found) {
                      freed.done_number = number_in(header.number_and_kind);
                      found = true;
                    }
                    if (kind_in(header.number_and_kind) == RecordKind::large_item && !found_large) {
                      const auto payload = copy_from<LargePayload>(bytes);
                      freed.large_ordinal = freed.done_large = payload.ordinal;
                      freed.large_position = payload.position;
                      found_large = true;
                    }
                  });
  return freed;
}

void Eviction::evict_oldest(Freed& freed, const Written& written, std::uint64_t committed, const ProducerCheck& check) {
  const std::byte* record = ring_.at(freed.position);
  const auto header = copy_from<RecordHeader>(record);
  check(record_bytes(header.size) <= committed - freed.position, "its oldest record reaches beyond the write position");
  if (kind_in(header.number_and_kind) == RecordKind::large_item) {
    const auto payload = copy_from<LargePayload>(record + sizeof(header));
    check(not_behind(payload.position + payload.size, written.large_position),
          "its oldest large item reaches beyond the newest");
    freed.large_position = payload.position + round_up(payload.size, kLine);
    freed.done_large = ++freed.large_ordinal;
  }
  freed.position += record_bytes(header.size);
  ++freed.done_number;
  tail_->store(freed.position, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);  // EVICT: no byte is overwritten before this is seen
}

}  // namespace pystream::shm
