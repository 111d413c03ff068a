#include "shm/consumers.hpp"

namespace pystream::shm {

Consumers::Consumers(const ProducerEnd& end)
    : page_(end.peer),
      own_(end.own),
      ring_bytes_(end.link.ring_bytes),
      requests_((end.own->lacks_room.load(std::memory_order_relaxed) & 1) != 0) {
  // A predecessor may have died before it woke the consumer: without room a request is made anew.
  withdraw_request();
}

void Consumers::look(Freed& freed, const Written& written, std::uint64_t committed, const ProducerCheck& check) {
  // First of all, so that whatever comes after what is read below ends a sleep on this.
  seen_releases_ = page_->releases.load(std::memory_order_acquire);
  // RELEASE: pairs with the consumer's store; what stands before read_position may be overwritten from here on.
  freed.position = page_->read_position.load(std::memory_order_acquire);
  const std::uint64_t read_number = page_->read_number.load(std::memory_order_relaxed);
  look_at_large(freed, written, check);
  freed.done_number = page_->done_number.load(std::memory_order_relaxed);
  freed.done_large = page_->done_large.load(std::memory_order_relaxed);
  check(freed.position <= committed && committed - freed.position <= ring_bytes_,
        "the read position is not within what was written");
  check(freed.position % kRecordAlign == 0, "the read position is not that of a record");
  check(
      read_number <= written.number && freed.done_number <= written.number && freed.done_large <= written.large_ordinal,
      "more records were released than were written");
}

void Consumers::request_release() {
  if (!requests_) {
    requests_ = true;
    auto& request = own_->lacks_room;
    request.store(request.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    wake(request);
  }
}

}  // namespace pystream::shm
