#include "worker/saved_state.hpp"

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <pystream/error.hpp>
#include <string>

#include "base/system_error.hpp"
#include "shm/segment_abi.hpp"

namespace pystream::worker {
namespace {

/// Marks a copy that is being written; no journal ever counts this many inputs.
constexpr std::uint64_t kBeingWritten = shm::kInvalidPosition;

std::atomic_ref<std::uint64_t> tag_of(std::byte* copy) {
  return std::atomic_ref<std::uint64_t>(reinterpret_cast<shm::CheckpointHeader*>(copy)->inputs_done);
}

}  // namespace

SavedState::SavedState(std::byte* copies, std::uint64_t bytes, const std::vector<std::unique_ptr<StageAdapter>>& stages)
    : copies_(copies), bytes_(bytes) {
  for (const auto& one : stages) {
    if (CheckpointBase* state = one->checkpoint(); state != nullptr) {
      states_.push_back(state);
    }
  }
  if (!states_.empty() && copies_ == nullptr) {
    throw Error(
        "a stage has checkpointed state and the segment has no room for it: describe its type with PYSTREAM_STAGE");
  }
}

void SavedState::populate(std::size_t index, std::uint64_t size) {
  const std::uint64_t want = shm::round_up(size, shm::kPage);
  if (want <= populated_[index]) {
    return;
  }
  while (::madvise(copy(index) + populated_[index], want - populated_[index], MADV_POPULATE_WRITE) != 0) {
    if (errno != EINTR && errno != EAGAIN) {
      base::throw_errno("no memory for a checkpoint of " + std::to_string(size) + " bytes");
    }
  }
  populated_[index] = want;
}

void SavedState::save(std::uint64_t inputs_done, std::uint64_t committed) {
  std::uint64_t size = sizeof(shm::CheckpointHeader);
  for (const CheckpointBase* state : states_) {
    size += sizeof(std::uint64_t) + state->saved_state().size();
  }
  if (size > bytes_) {
    throw Error("the checkpointed state of " + std::to_string(size) + " bytes is larger than the " +
                std::to_string(bytes_) + " bytes declared; raise the limit of its CheckpointArea");
  }
  populate(0, sizeof(shm::CheckpointHeader));
  populate(1, sizeof(shm::CheckpointHeader));
  const std::size_t index = tag_of(copy(0)).load(std::memory_order_relaxed) == committed ? 1 : 0;
  populate(index, size);
  std::byte* to = copy(index);
  tag_of(to).store(kBeingWritten, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  reinterpret_cast<shm::CheckpointHeader*>(to)->bytes = size;
  to += sizeof(shm::CheckpointHeader);
  for (const CheckpointBase* state : states_) {
    const std::span<const std::byte> bytes = state->saved_state();
    const std::uint64_t length = bytes.size();
    std::memcpy(to, &length, sizeof(length));
    if (length > 0) {
      std::memcpy(to + sizeof(length), bytes.data(), length);
    }
    to += sizeof(length) + length;
  }
  tag_of(copy(index)).store(inputs_done, std::memory_order_release);
}

void SavedState::restore(std::uint64_t inputs_done) {
  std::size_t index = 0;
  while (index < 2 && tag_of(copy(index)).load(std::memory_order_acquire) != inputs_done) {
    ++index;
  }
  if (index == 2) {
    throw Error("no checkpoint belongs to input " + std::to_string(inputs_done) + ": its memory was damaged");
  }
  const std::byte* from = copy(index);
  shm::CheckpointHeader header;
  std::memcpy(&header, from, sizeof(header));
  if (header.bytes > bytes_) {
    throw Error("a checkpoint is larger than its area: its memory was damaged");
  }
  std::uint64_t at = sizeof(header);
  for (CheckpointBase* state : states_) {
    std::uint64_t length = 0;
    if (header.bytes - at < sizeof(length)) {
      throw Error("a checkpoint is cut off: its memory was damaged");
    }
    std::memcpy(&length, from + at, sizeof(length));
    at += sizeof(length);
    if (length > header.bytes - at) {
      throw Error("a checkpoint is cut off: its memory was damaged");
    }
    state->restore_state({from + at, length});
    at += length;
  }
}

}  // namespace pystream::worker
