#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

#include "nats/log.hpp"
#include "nats/parcel.hpp"
#include "nats/patience.hpp"

namespace pystream::nats {

/// Reads the items of a log, each once and in order, from any position on. It trusts the positions that parcels carry,
/// and not their numbers: the same number may hold another parcel after the log has gone back.
class LogReader {
 public:
  /// `journal`: the log of this part's own output; nullptr: it has none. Both outlive this.
  LogReader(Log& log, Log* journal, Patience& patience, Identity identity);

  /// Goes on behind `position`.
  void start(const Position& position);
  struct Done {
    Position upto;
    bool all = false;  ///< the end is out, too
  };
  /// Where the part's own output ends: it needs input `upto.sequence` again, and none before.
  Done done();

  enum class Got { item, nothing, end };
  /// The next item, which is valid until the next call. Got::nothing: none came within `wait`.
  Got next(ParcelItem& item, std::chrono::milliseconds wait);
  /// Behind the last item.
  const Position& position() const { return position_; }

  /// Releases what the part's own output says is done, once that is older than `keep`. REQUIRES: a journal.
  void release(std::chrono::nanoseconds now, std::chrono::nanoseconds keep);

 private:
  struct Taken {
    std::uint64_t number;
    Position upto;
    std::optional<std::chrono::nanoseconds> done_at{};
  };

  bool fetch(std::chrono::milliseconds wait);
  void find_start();
  void look_back();
  void bridge_gap(const Position& from);
  std::optional<LogEntry> read(std::uint64_t number, std::chrono::milliseconds wait);
  LogEntry last_of(Log& log);

  Log& log_;
  Log* journal_;
  Patience& patience_;
  Identity identity_;
  Position position_;
  std::uint64_t next_ = 1;        ///< number of the parcel that is expected to go on behind `position_`
  std::uint64_t known_last_ = 0;  ///< a parcel with this number was there
  std::vector<std::byte> bytes_;
  Parcel parcel_;
  std::size_t index_ = 0;  ///< of the parcel's next item
  bool ended_ = false;
  std::deque<Taken> taken_;  ///< parcels that are not released
};

}  // namespace pystream::nats
