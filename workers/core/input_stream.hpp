#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "core/descriptor.hpp"

namespace pystream::core {

/// Where a source that reads a file or pipe stands. All zero before the first item.
struct StreamCursor {
  std::uint64_t offset = 0;   ///< of the first byte that no committed item includes
  std::uint32_t started = 0;  ///< 1: `offset` is meant
  std::uint32_t lost = 0;     ///< restarts of a source that cannot seek: each may have lost what was read ahead
};

/// Bytes from a file, a pipe or standard input ("-"). Regular files are read by position, so that the position of
/// a descriptor shared with other processes (standard input) stays where it was and a restart can find the start.
class InputStream {
 public:
  enum class Status {
    data,
    end,
    /// Draining, a signal came while waiting, or nothing is there at the moment: give the worker a chance to look, and
    /// to publish what it was given before. The next call waits.
    interrupted,
  };
  struct Result {
    Status status;
    std::size_t bytes = 0;
  };

  /// `who` starts every message. Throws Error if the path cannot be read.
  InputStream(std::string who, const std::string& path);

  /// Reads up to to.size() bytes (at least one, if the status is `data`). While the pipeline drains nothing is taken
  /// any more from what cannot be read again.
  Result read(std::span<std::byte> to);
  /// How much longer to wait for the rest of an item that is being written. What is there costs nothing.
  struct Patience {
    std::int64_t left_ns = 100'000'000;
  };
  /// As read() from what cannot be read again, also while the pipeline drains: one piece of the rest of an item.
  /// `patience`: for the whole rest. `interrupted`: it does not come.
  Result read_rest(std::span<std::byte> to, Patience& patience);
  bool seekable() const noexcept { return seekable_; }
  std::uint64_t offset() const noexcept { return offset_; }
  /// Goes on where the cursor says. If the stream cannot seek, reports what was taken from it and not committed.
  void resume(StreamCursor& cursor);
  /// All items up to the cursor are committed, and no more will be read: a regular file on standard input is left where
  /// the next program that shares it can go on.
  void leave_at(const StreamCursor& cursor) const;
  /// The run ends before its source, and so many bytes were read that are no items: reports them as lost.
  void report_ahead(std::uint64_t bytes) const;
  /// The path, or "standard input".
  const std::string& name() const noexcept { return name_; }
  const std::string& who() const noexcept { return who_; }

 private:
  Result read_waiting(std::span<std::byte> to);
  std::optional<Result> take(std::span<std::byte> to);
  void refuse_cut();

  std::string who_;
  std::string name_;
  Descriptor owned_;
  int fd_ = -1;
  bool seekable_ = false;
  std::uint64_t offset_ = 0;
  std::uint64_t size_ = 0;  ///< of a regular file, when it was opened
  bool waits_ = false;      ///< the last read() found nothing
};

}  // namespace pystream::core
