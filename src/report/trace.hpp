#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "store/database.hpp"

namespace pystream::report {

using TextSink = std::function<void(std::string_view)>;

/// The single items of a run as Chrome trace events (JSON object format), which Perfetto and chrome://tracing read: a
/// track for each worker, a flow that follows each item from stage to stage, the fill of the links as counters, and
/// crashes and restarts as instants. At most `items` items, the oldest first; 0: all.
void write_trace(store::Database& database, std::int64_t run, std::uint64_t items, const TextSink& out);

/// One item's way through the stages with its waits, for people. Throws ProfilingError if it was not sampled.
std::string item_path(store::Database& database, std::int64_t run, std::uint64_t sequence);

}  // namespace pystream::report
