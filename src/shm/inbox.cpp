#include "shm/inbox.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "base/system_error.hpp"

namespace pystream::shm {

std::optional<InboxCopy::Claimed> InboxCopy::try_recover(std::uint64_t inputs_done) const {
  const Inbox& from = head();
  const std::uint64_t claimed = from.claimed.load(std::memory_order_acquire);
  if (claimed <= inputs_done) {
    return std::nullopt;  // the next record with this number or a later one counts
  }
  return Claimed{.record = {.kind = static_cast<RecordKind>(from.kind),
                            .closes = 0,
                            .number = claimed - 1,
                            .sequence = from.sequence,
                            .part = static_cast<std::uint32_t>(from.part),
                            .entered_ns = from.entered_ns,
                            .payload = {inbox_ + kInboxPayload, from.size}},
                 .next_position = from.next_position};
}

void InboxCopy::copy(Record& record) {
  const std::uint64_t want = kInboxPayload + round_up(record.payload.size(), kPage);
  if (want > populated_) {
    while (::madvise(inbox_ + populated_, want - populated_, MADV_POPULATE_WRITE) != 0) {
      if (errno != EINTR && errno != EAGAIN) {
        base::throw_errno("no memory for an item of " + std::to_string(record.payload.size()) + " bytes");
      }
    }
    populated_ = want;
  }
  Inbox& to = head();
  to.kind = static_cast<std::uint64_t>(record.kind);
  to.size = record.payload.size();
  to.sequence = record.sequence;
  to.part = record.part;
  to.entered_ns = record.entered_ns;
  std::byte* bytes = inbox_ + kInboxPayload;
  if (!record.payload.empty()) {
    std::memcpy(bytes, record.payload.data(), record.payload.size());
  }
  record.payload = {bytes, record.payload.size()};
}

}  // namespace pystream::shm
