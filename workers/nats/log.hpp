#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace pystream::nats {

/// A parcel in a log, with its number. Numbers grow by one and begin at 1.
struct LogEntry {
  std::uint64_t number = 0;
  std::vector<std::byte> parcel;
};

/// What became of an append().
enum class Appended {
  done,     ///< the parcel is in the log, and will stay
  refused,  ///< it is not: another parcel has that number
  full,     ///< it is not: the log has no room
  unknown,  ///< it may be, now or later: the reply is missing
};

/// A sequence of parcels that outlives the processes that write and read it. Several processes may use one log at the
/// same time. Used by one thread.
///
/// Each verb waits a few seconds at most, and throws LogUnreachable if the log cannot be asked, and Error if asking
/// again would not help.
class Log {
 public:
  virtual ~Log() = default;
  /// The last parcel. Number 0: nothing was ever appended. A number above 0 without bytes: the last parcel has
  /// vanished.
  virtual LogEntry last() = 0;
  /// Appends a parcel as number `expected` + 1, if the last one has the number `expected`. Sends it once.
  [[nodiscard]] virtual Appended append(std::uint64_t expected, std::span<const std::byte> parcel) = 0;
  /// The first parcel that is there with a number of at least `from`; nullopt: there is none within `wait`.
  virtual std::optional<LogEntry> read(std::uint64_t from, std::chrono::milliseconds wait) = 0;
  /// Parcels with numbers up to `upto` are needed no more.
  virtual void release(std::uint64_t upto) = 0;
};

}  // namespace pystream::nats
