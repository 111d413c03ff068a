#pragma once

#include <cstddef>
#include <memory>
#include <pystream/detail/stage_adapter.hpp>
#include <span>
#include <vector>

namespace pystream::worker {

/// The cursors of a segment's source and sinks, one behind another, as they go into the journal.
class Cursors {
 public:
  /// Throws Error if they are larger than the journal's room. `stages` outlive this.
  explicit Cursors(const std::vector<std::unique_ptr<StageAdapter>>& stages);

  bool any() const { return !kept_.empty(); }
  /// Keeps them as they are now. REQUIRES: no item is in work.
  void keep();
  /// As they were kept last: before the item in work.
  std::span<const std::byte> kept() const { return kept_; }
  /// Gives them the bytes that kept() gave a predecessor.
  void restore(const std::byte* kept);

 private:
  std::vector<std::span<std::byte>> cursors_;
  std::vector<std::byte> kept_;
};

}  // namespace pystream::worker
