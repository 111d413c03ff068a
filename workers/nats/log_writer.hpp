#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "nats/log.hpp"
#include "nats/parcel.hpp"
#include "nats/patience.hpp"

namespace pystream::nats {

/// Of one parcel.
struct ParcelLimits {
  std::size_t items = 4096;
  std::size_t bytes = std::size_t{256} << 10;  ///< a larger item has a parcel to itself
};

/// Writes the outputs of a part to its log, exactly once, whoever else writes the same outputs there: a predecessor
/// whose last parcel takes effect late, or a twin that lives at the same time.
///
/// Invariants:
/// 1. `number_` and `out_` are the number and the end of one parcel that this object knows: it wrote it and the log
/// said
///    so, or it read it. A parcel is appended behind such a one only, so one parcel at most is in flight.
/// 2. After anything but Appended::done the last parcel is read, whatever it is, and the writer goes on behind it.
///    Nothing is sent again before that.
/// 3. `pending_` holds the outputs between `held_from_` and `seen_`, and `held_from_` is not behind `out_`.
class LogWriter {
 public:
  LogWriter(Log& log, Patience& patience, Identity identity, ParcelLimits limits = {});

  /// What survives the death of the writer.
  struct Progress {
    Position seen;         ///< behind what was added
    Position handed_over;  ///< behind what the log holds, and the caller does not add again
  };

  /// Reads where the log ends. `before`: what progress() gave a predecessor whose caller goes on behind that. `claims`:
  /// the part has state or effects outside, so no other instance may write any more.
  void start(const Progress& before, bool claims);
  /// The next output. Outputs that the log holds already are counted and dropped.
  void add(const ParcelItem& item);
  /// Everything of the inputs before `sequence` was added.
  void pass(std::uint64_t sequence);
  /// Everything that was added stands in the log.
  void flush();
  /// As flush(), with an empty parcel if need be: the log says how far the part is.
  void flush_mark();
  /// As flush(), and nothing follows.
  void end();

  Progress progress() const { return {.seen = seen_, .handed_over = held_from_}; }
  /// Behind what was added.
  const Position& seen() const { return seen_; }
  /// Behind what stands in the log.
  const Position& out() const { return out_; }
  bool ended() const { return ended_; }

 private:
  struct Pending {
    ParcelItem item;  ///< its bytes are in `bytes`
    std::vector<std::byte> bytes;
    Position end;
  };

  void look();
  void claim();
  void drop_what_is_out();
  void put(bool end);

  Log& log_;
  Patience& patience_;
  Identity identity_;
  ParcelLimits limits_;
  std::uint64_t number_ = 0;
  std::uint64_t epoch_ = 0;
  bool claims_ = false;
  bool ended_ = false;
  Position out_;
  Position seen_;
  Position held_from_;  ///< what was added behind this is in `pending_`; what was before is held here no more
  std::deque<Pending> pending_;
  std::size_t pending_bytes_ = 0;
};

/// Throws LogUnusable with both values if they differ. An identity without a text fits everything.
void require_same(const Identity& mine, const Identity& of_log);

}  // namespace pystream::nats
