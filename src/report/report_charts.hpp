#pragma once

#include <string>

#include "report/report.hpp"

/// The pictures of a report, each an <svg> element.
namespace pystream::report {

/// Workers as boxes in the order of the items' way, coloured by the share of time they work, with the links' fill.
std::string graph_chart(const ReportData& data);
/// Items per second of every stage over time, with crashes and restarts.
std::string throughput_chart(const ReportData& data);
/// Waiting, working and blocked time of every stage.
std::string state_bars(const ReportData& data);
/// Distribution of one key's time, on a logarithmic axis.
std::string latency_chart(const store::KeyWindows& key, const profile::KeySummary& summary);

}  // namespace pystream::report
