#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/descriptor.hpp"

namespace pystream::core {

/// Where a sink that writes one file stands. All zero before the first commit.
struct FileCursor {
  std::uint64_t offset = 0;   ///< behind the last byte that was committed
  std::uint64_t started = 0;  ///< 1: `offset` is meant
};

/// One output file, written through a buffer. A regular file can be cut back to a cursor, so that a restart doubles
/// nothing; anything else (pipe, terminal, device) is at least once.
class OutputFile {
 public:
  /// Opens or creates the file ("-" and /dev/stdout: standard output) and leaves what is in it alone. `who` starts
  /// every message.
  OutputFile(std::string who, const std::string& path);

  /// Makes the file hold what the cursor says: nothing, if nothing was committed yet. (Standard output keeps what
  /// stood there before this program.) Called once, before the first append().
  void start(const FileCursor& cursor);
  bool started() const noexcept { return started_; }
  /// Takes `bytes` and then `tail`. If it throws, it has taken neither; what it took before is still held.
  void append(std::span<const std::byte> bytes, std::span<const std::byte> tail);
  /// Hands everything taken to the kernel and says where the file ends.
  FileCursor flush();
  /// Leaves standard output's position behind what was written, for whoever writes there next.
  void finish();
  /// True for a regular file that nobody else is known to write to.
  bool exact() const noexcept { return exact_; }

 private:
  void write_buffer();
  void write_all(std::span<const std::byte> bytes, std::size_t& done);
  void cut(std::uint64_t size);

  std::string who_;
  std::string name_;
  Descriptor owned_;
  int fd_ = -1;
  bool exact_ = false;
  bool appends_ = false;  ///< opened with O_APPEND by somebody else
  bool started_ = false;
  std::uint64_t offset_ = 0;  ///< where the buffer's first byte belongs
  std::unique_ptr<std::byte[]> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace pystream::core
