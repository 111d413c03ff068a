#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/codec.hpp"
#include "profile/keys.hpp"
#include "shm/segment.hpp"

namespace pystream::profile {

/// What the counters of one key say at a moment, since the pipeline began.
struct Figures {
  std::uint64_t items = 0, samples = 0, errors = 0, timed = 0, timed_ns = 0, total_ns = 0, min_ns = 0, max_ns = 0;
  std::uint64_t waiting_ns = 0, working_ns = 0, blocked_ns = 0, rows_lost = 0;
  std::uint64_t age_ns = 0;  ///< of its items at their end, together; not in the database
  std::int64_t first_end_ns = 0, last_end_ns = 0;
  std::vector<std::uint64_t> histogram{};

  /// What another time added; for the figures of a window.
  void add(const Figures& more);
  /// What was added since `before`. min_ns and max_ns: of the window that ends now, as far as the histogram tells.
  Figures since(const Figures& before) const;
  bool any() const { return items + errors + timed + waiting_ns + working_ns + blocked_ns > 0; }

  static void fields(auto& self, auto& code) {
    code(self.items, self.samples, self.errors, self.timed, self.timed_ns, self.total_ns, self.min_ns, self.max_ns);
    code(self.waiting_ns, self.working_ns, self.blocked_ns, self.first_end_ns, self.last_end_ns);
    code(base::Sparse{self.histogram, shm::kBuckets});
  }
};

/// `index`: among the worker's StageStats.
Figures read_figures(const shm::SupervisorView& view, std::uint32_t worker, std::uint32_t index);
/// Of a pipeline inside another: items, time and ends, exact as long as every item that enters it comes out; how long
/// single items take only their rows tell.
Figures derived_figures(const shm::SupervisorView& view, std::span<const ProfileKey> keys, const ProfileKey& key);
/// Smallest and largest time of the items that ended in window `number`; false if there were none.
bool read_window(const shm::SupervisorView& view, const ProfileKey& key, std::uint64_t number, Figures& into);

}  // namespace pystream::profile
