// What a bookkeeper finds of its run that a predecessor has written.

#include "profile/schema.hpp"
#include "profile/store_figures.hpp"
#include "profile/store_run.hpp"
#include "profile/windows.hpp"

namespace pystream::profile {

/// Takes up the run of a bookkeeper that died.
bool RunStore::find_run() {
  const auto standing = run_of(*database_, info_.coordinator_pid, info_.started);
  if (!standing) {
    return false;
  }
  run_ = *standing;
  const auto ids = [&](const char* sql) {
    std::vector<std::int64_t> found;
    Statement statement(*database_, sql);
    statement.bind(1, run_);
    while (statement.step()) {
      found.push_back(statement.integer(0));
    }
    return found;
  };
  stage_ids_ = ids("SELECT id FROM stages WHERE run = ? ORDER BY position");
  link_ids_ = ids("SELECT id FROM links WHERE run = ? ORDER BY position");
  return !stage_ids_.empty();
}

/// Of a window that was closed before its time, for somebody who asked for the figures. Returns what it covers.
std::int64_t RunStore::add_standing_window(std::size_t key, std::uint64_t number, Figures& to) {
  Statement statement(*database_, std::string("SELECT ") + kFigureColumns +
                                      ", histogram, span_ns FROM windows WHERE stage = ? AND window = ?");
  statement.bind(1, stage_ids_.at(key)).bind(2, number);
  if (!statement.step()) {
    return 0;
  }
  Figures standing = figures_in(statement, 0);
  standing.histogram.resize(shm::kBuckets);
  for (const auto& [bucket, items] : histogram_pairs(statement.blob(kFigures))) {
    standing.histogram[std::min<std::size_t>(bucket, shm::kBuckets - 1)] += items;
  }
  to.add(standing);
  return statement.integer(kFigures + 1);
}

RunStore::Written RunStore::read_written() {
  Written written;
  written.links.resize(link_ids_.size());
  Statement totals(*database_, std::string("SELECT ") + kFigureColumns + " FROM stages WHERE id = ?");
  for (std::size_t i = 0; i < stage_ids_.size(); ++i) {
    totals.bind(1, stage_ids_[i]);
    if (totals.step()) {
      Figures figures = figures_in(totals, 0);
      figures.histogram = read_histogram(*database_, stage_ids_[i]);
      written.keys[i] = std::move(figures);
    }
    totals.reset();
  }
  Statement links(*database_, "SELECT items, dropped FROM links WHERE id = ?");
  for (std::size_t i = 0; i < link_ids_.size(); ++i) {
    links.bind(1, link_ids_[i]);
    if (links.step()) {
      written.links[i] = {.items = links.number(0), .dropped = links.number(1)};
    }
    links.reset();
  }
  const std::string run = std::to_string(run_);
  written.events = static_cast<std::uint64_t>(
      database_->query_integer("SELECT count(*) FROM events WHERE run = " + run).value_or(0));
  const auto last = database_->query_integer(
      "SELECT max(window) FROM windows WHERE stage IN (SELECT id FROM stages WHERE run = " + run + ")");
  const bool any = database_->query_integer("SELECT count(*) FROM stages WHERE items > 0 AND run = " + run) > 0;
  if (any) {
    written.until_ns = info_.start_ns + (last.value_or(0) + 1) * shm::kWindowNs;
  }
  return written;
}

}  // namespace pystream::profile
