#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/database.hpp"

/// What happened in a run beside items.
namespace pystream::store {

struct StoredEvent {
  double seconds = 0;  ///< since the start of the run
  std::string kind;
  std::string worker;  ///< empty: the coordinator
  std::optional<std::uint64_t> sequence;
  std::string text;
};

/// Those of one kind, oldest first.
std::vector<StoredEvent> list_events(Database& database, std::int64_t run, const std::string& kind);

/// How a run ended; empty while it runs.
struct RunEnd {
  std::string outcome;
  std::string reason;
};
RunEnd read_run_end(Database& database, std::int64_t run);

}  // namespace pystream::store
