#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/stored_summary.hpp"
#include "store/windows.hpp"

namespace pystream::report {

struct ReportLink {
  std::string name;
  std::string producer;  ///< names of workers
  std::string consumer;
  double fill = 0;  ///< mean share of the limit that would hold its producer up, 0 to 1
  std::uint64_t dropped = 0;
};

struct ReportEvent {
  double time_s = 0;
  std::string kind;
  std::string worker;
  std::string text;
};

/// All that a report shows.
struct ReportData {
  profile::RunSummary summary;
  std::vector<store::KeyWindows> keys;
  std::vector<ReportLink> links;
  std::vector<ReportEvent> events;
};

ReportData read_report(store::Database& database, std::int64_t run);

/// One page that needs nothing else: style, pictures (SVG) and a few lines of script are in it.
std::string to_html(const ReportData& data);

}  // namespace pystream::report
