#pragma once

#include <cstdint>
#include <vector>

#include "base/codec.hpp"
#include "plan/topology.hpp"
#include "profile/run_description.hpp"
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
};

auto fields(base::MaybeConst<Figures> auto& f) {
  return std::tuple_cat(std::tie(f.items, f.samples, f.errors, f.timed, f.timed_ns, f.total_ns, f.min_ns, f.max_ns,
                                 f.waiting_ns, f.working_ns, f.blocked_ns, f.first_end_ns, f.last_end_ns),
                        std::tuple(base::Sparse(f.histogram, shm::kBuckets)));
}

/// The same of a link.
struct LinkFigures {
  std::uint64_t items = 0;  ///< that the consumer has taken
  std::uint64_t dropped = 0;
  std::uint64_t fill_items = 0;
  std::uint64_t fill_bytes = 0;
};

/// Of each of Topology::hosted, its place among the HostedStats of its worker.
std::vector<std::uint32_t> places_in_workers(const plan::Topology& topology);

/// `place`: among the worker's HostedStats.
Figures read_figures(const shm::SupervisorView& view, std::uint32_t worker, std::uint32_t place);
/// Of a pipeline inside another: items, time and ends, exact as long as every item that enters it comes out; how long
/// single items take only their rows tell.
Figures derived_figures(const shm::SupervisorView& view, const RunDescription& run, const KeyDescription& key);
LinkFigures read_link(const shm::SupervisorView& view, std::uint32_t link);
/// Smallest and largest time of the items that ended in window `number`; false if there were none.
bool read_window(const shm::SupervisorView& view, const KeyDescription& key, std::uint64_t number, Figures& into);

}  // namespace pystream::profile
