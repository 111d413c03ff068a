#include "profile/report.hpp"

namespace pystream::profile {

ReportData read_report(Database& database, std::int64_t run) {
  ReportData data{
      .summary = read_summary(database, run), .keys = read_windows(database, run), .links = {}, .events = {}};
  Statement links(
      database,
      "SELECT links.name, (SELECT worker_name FROM stages WHERE stages.run = links.run AND worker = producer), "
      "(SELECT worker_name FROM stages WHERE stages.run = links.run AND worker = consumer), "
      "coalesce((SELECT avg(fill_bytes) FROM link_windows WHERE link = links.id), 0) / max(capacity_bytes, 1), "
      "dropped FROM links WHERE run = ? ORDER BY position");
  links.bind(1, run);
  while (links.step()) {
    data.links.push_back({.name = links.text(0),
                          .producer = links.text(1),
                          .consumer = links.text(2),
                          .fill = links.real(3),
                          .dropped = links.number(4)});
  }
  Statement events(database,
                   "SELECT time_ns * 1e-9, kind, worker, text, signal, code FROM events WHERE run = ? ORDER BY id");
  events.bind(1, run);
  while (events.step()) {
    std::string text = events.text(3);
    if (events.integer(4) != 0) {
      text = "signal " + events.text(4) + (text.empty() ? "" : ": " + text);
    } else if (events.integer(5) != 0) {
      text = "exit code " + events.text(5) + (text.empty() ? "" : ": " + text);
    }
    data.events.push_back(
        {.time_s = events.real(0), .kind = events.text(1), .worker = events.text(2), .text = std::move(text)});
  }
  return data;
}

}  // namespace pystream::profile
