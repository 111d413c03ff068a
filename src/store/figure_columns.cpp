#include "store/figure_columns.hpp"

namespace pystream::store {

profile::Figures figures_in(const Statement& row, int at) {
  return {.items = row.number(at),
          .samples = row.number(at + 1),
          .errors = row.number(at + 2),
          .timed = row.number(at + 3),
          .timed_ns = row.number(at + 4),
          .total_ns = row.number(at + 5),
          .min_ns = row.number(at + 6),
          .max_ns = row.number(at + 7),
          .waiting_ns = row.number(at + 8),
          .working_ns = row.number(at + 9),
          .blocked_ns = row.number(at + 10)};
}

void bind_figures(Statement& to, int at, const profile::Figures& f) {
  for (const std::uint64_t value : {f.items, f.samples, f.errors, f.timed, f.timed_ns, f.total_ns, f.min_ns, f.max_ns,
                                    f.waiting_ns, f.working_ns, f.blocked_ns}) {
    to.bind(at++, value);
  }
}

std::vector<std::uint64_t> read_histogram(Database& database, std::int64_t stage) {
  Statement rows(database, "SELECT low_ns, items FROM histograms WHERE stage = ?");
  rows.bind(1, stage);
  std::vector<std::uint64_t> histogram(shm::kBuckets);
  while (rows.step()) {
    histogram[shm::bucket_of(rows.number(0))] += rows.number(1);
  }
  return histogram;
}

}  // namespace pystream::store
