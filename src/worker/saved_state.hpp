#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <pystream/detail/stage_adapter.hpp>
#include <vector>

namespace pystream::worker {

/// The checkpointed state of a segment's stages: two copies in shared memory, each tagged with the inputs it includes.
class SavedState {
 public:
  /// `copies`: two areas of `bytes` each, or nullptr if no stage has state.
  SavedState(std::byte* copies, std::uint64_t bytes, const std::vector<std::unique_ptr<StageAdapter>>& stages);

  bool any() const { return !states_.empty(); }
  /// Writes the state as of `inputs_done` into the copy that does not hold `committed`. Throws Error if it does not
  /// fit or gets no memory.
  void save(std::uint64_t inputs_done, std::uint64_t committed);
  /// Puts back the copy tagged `inputs_done`. Throws Error if there is none: the memory was damaged.
  void restore(std::uint64_t inputs_done);

 private:
  std::byte* copy(std::size_t index) const { return copies_ + index * bytes_; }
  void populate(std::size_t index, std::uint64_t size);

  std::byte* copies_;
  std::uint64_t bytes_;
  std::uint64_t populated_[2] = {0, 0};
  std::vector<CheckpointBase*> states_;
};

}  // namespace pystream::worker
