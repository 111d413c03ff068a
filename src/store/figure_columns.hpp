#pragma once

#include <cstdint>
#include <vector>

#include "profile/figures.hpp"
#include "store/database.hpp"

/// Figures as the tables `stages` and `windows` have them.
namespace pystream::store {

/// Eleven columns, of both tables.
inline constexpr const char* kFigureColumns =
    "items, samples, errors, timed, timed_ns, total_ns, min_ns, max_ns, waiting_ns, working_ns, blocked_ns";
inline constexpr int kFigures = 11;

/// From the columns `at` and on; without the histogram.
profile::Figures figures_in(const Statement& row, int at);
/// To the parameters `at` and on.
void bind_figures(Statement& to, int at, const profile::Figures& figures);
/// That of a row of `stages`.
std::vector<std::uint64_t> read_histogram(Database& database, std::int64_t stage);

}  // namespace pystream::store
