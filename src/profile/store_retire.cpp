// Old runs go.

#include "profile/store_run.hpp"

namespace pystream::profile {

std::uint64_t RunStore::used_bytes() {
  const std::int64_t pages = database_->query_integer("PRAGMA page_count").value_or(0) -
                             database_->query_integer("PRAGMA freelist_count").value_or(0);
  return static_cast<std::uint64_t>(pages * database_->query_integer("PRAGMA page_size").value_or(0));
}

bool RunStore::retire_a_bit() {
  const auto runs = static_cast<std::uint64_t>(database_->query_integer("SELECT count(*) FROM runs").value_or(0));
  const auto oldest = database_->query_integer("SELECT id FROM runs WHERE outcome <> 'running' AND id <> " +
                                               std::to_string(run_) + " ORDER BY id LIMIT 1");
  if (!oldest || (runs <= info_.retention.runs && used_bytes() <= info_.retention.bytes)) {
    return false;
  }
  Transaction transaction(*database_);
  // Single items are by far the most: those of one stage at a time.
  const auto stage = database_->query_integer("SELECT id FROM stages WHERE run = " + std::to_string(*oldest) +
                                              " AND EXISTS (SELECT 1 FROM items WHERE stage = stages.id) LIMIT 1");
  if (stage) {
    const std::string id = std::to_string(*stage);
    database_->execute("DELETE FROM items WHERE stage = " + id + "; UPDATE stages SET rows = 0 WHERE id = " + id);
  } else {
    delete_run(*database_, *oldest);
  }
  transaction.commit();
  return true;
}

void delete_run(Database& database, std::int64_t run) {
  const std::string id = std::to_string(run);
  const std::string stages = "(SELECT id FROM stages WHERE run = " + id + ")";
  const std::string links = "(SELECT id FROM links WHERE run = " + id + ")";
  for (const char* table : {"items", "windows", "histograms"}) {
    database.execute("DELETE FROM " + std::string(table) + " WHERE stage IN " + stages);
  }
  database.execute("DELETE FROM link_windows WHERE link IN " + links);
  for (const char* table : {"stages", "links", "events", "row_cursors"}) {
    database.execute("DELETE FROM " + std::string(table) + " WHERE run = " + id);
  }
  // Dead letters stay until somebody has dealt with them.
  database.execute("DELETE FROM runs WHERE id = " + id);
}

}  // namespace pystream::profile
