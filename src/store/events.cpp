#include "store/events.hpp"

namespace pystream::store {

std::vector<StoredEvent> list_events(Database& database, std::int64_t run, const std::string& kind) {
  Statement statement(
      database, "SELECT time_ns, kind, worker, sequence, text FROM events WHERE run = ? AND kind = ? ORDER BY id");
  statement.bind(1, run).bind(2, std::string_view(kind));
  std::vector<StoredEvent> events;
  while (statement.step()) {
    events.push_back({.seconds = static_cast<double>(statement.integer(0)) * 1e-9,
                      .kind = statement.text(1),
                      .worker = statement.text(2),
                      .sequence = statement.is_null(3) ? std::nullopt : std::optional(statement.number(3)),
                      .text = statement.text(4)});
  }
  return events;
}

RunEnd read_run_end(Database& database, std::int64_t run) {
  Statement statement(database, "SELECT coalesce(outcome, ''), coalesce(reason, '') FROM runs WHERE id = ?");
  statement.bind(1, run);
  return statement.step() ? RunEnd{.outcome = statement.text(0), .reason = statement.text(1)} : RunEnd{};
}

}  // namespace pystream::store
