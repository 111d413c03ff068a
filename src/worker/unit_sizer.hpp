#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "shm/record_abi.hpp"

namespace pystream::worker {

/// How many items a segment that deals may give to one replica at a time. Each replica should be busy with them for a
/// short while: with longer units a few replicas would get what there is, and the first results would come late.
class UnitSizer {
 public:
  static constexpr std::int64_t kUnitNs = 20'000;     ///< a replica should take so long for a unit
  static constexpr std::int64_t kLookNs = 1'000'000;  ///< between two looks

  explicit UnitSizer(std::uint32_t replicas) : replicas_(replicas) {}

  std::uint32_t items() const { return items_; }
  /// All replicas together are done with the items before `done`.
  void note(std::int64_t now, std::uint64_t done) {
    if (now - looked_at_ < kLookNs) {
      return;
    }
    const auto passed = static_cast<double>(now - std::exchange(looked_at_, now));
    const auto items = static_cast<double>(done - std::exchange(done_, done));
    items_ =
        static_cast<std::uint32_t>(std::clamp(kUnitNs * items / (passed * replicas_), 1.0, double{shm::kMostInRun}));
  }

 private:
  std::uint32_t replicas_;
  std::uint32_t items_ = 1;
  std::int64_t looked_at_ = 0;
  std::uint64_t done_ = 0;
};

}  // namespace pystream::worker
