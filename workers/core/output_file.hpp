#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/descriptor.hpp"
#include "core/written_tail.hpp"

namespace pystream::core {

/// Where a sink that writes one file stands. All zero before the first commit.
struct FileCursor {
  std::uint64_t offset = 0;   ///< behind the last byte that was committed
  std::uint32_t started = 0;  ///< 1: `offset` is meant
  std::uint32_t shared = 0;   ///< 1: others were seen to write to the same file, so `offset` tells nothing
  std::uint64_t device = 0;   ///< of a regular file that is ours
  std::uint64_t inode = 0;    ///< 0: another kind of output
};

/// One output, written through a buffer. There are three kinds:
/// - a regular file that this object opened by its path. It belongs to this run alone: start() empties it, and a
///   restart cuts it back to its cursor, so that nothing is doubled, if it is still the same file;
/// - a regular file on a descriptor that was inherited (standard output, /dev/fd/7). Others may hold the same
///   descriptor, so it is only ever appended to, at the descriptor's own position. After a restart the bytes behind the
///   cursor are compared with those that are written again: nothing is doubled as long as nobody else writes there, and
///   nothing is ever lost;
/// - a pipe, a terminal or a device: at least once.
class OutputFile {
 public:
  /// Opens or creates the file ("-" and /dev/stdout: standard output) and leaves what is in it alone. `who` starts
  /// every message.
  OutputFile(std::string who, const std::string& path);

  /// A run begins.
  void start();
  /// Goes on where the cursor says.
  void resume(const FileCursor& cursor);
  /// Takes `bytes` and then `tail`. If it throws, it has taken neither; what it took before is still held. (Only of an
  /// output that cannot be cut may a part be out.)
  void append(std::span<const std::byte> bytes, std::span<const std::byte> tail);
  /// Hands everything taken to the kernel and says where the file ends.
  FileCursor flush();
  /// Behind the last flush(): finds what a file system tells only here. Throws Error. Nothing may follow.
  void close();

 private:
  enum class Kind {
    own,     ///< a regular file that this object opened
    shared,  ///< a regular file on an inherited descriptor
    stream,  ///< anything else
  };

  void open(const std::string& path);
  void wait_for_reader();
  void inspect();
  void refuse_another_file(const FileCursor& cursor) const;
  void resume_own(const FileCursor& cursor);
  void resume_shared(const FileCursor& cursor);
  bool is_written(std::span<const std::byte> bytes, std::span<const std::byte> tail);
  void write_buffer();
  void write_all(std::span<const std::byte> bytes, std::size_t& done);
  ssize_t write_some(std::span<const std::byte> bytes);
  void note_others();
  std::uint64_t position() const;
  void cut(std::uint64_t size);
  void warn_of_doubles(const std::string& reason) const;

  std::string who_;
  std::string name_;
  Descriptor owned_;
  int fd_ = -1;  ///< -1: a FIFO that nobody reads yet
  Kind kind_ = Kind::stream;
  bool appends_ = false;      ///< opened with O_APPEND by somebody else
  bool others_ = false;       ///< others were seen to write here
  std::uint64_t device_ = 0;  ///< these two as in the cursor
  std::uint64_t inode_ = 0;
  std::uint64_t offset_ = 0;  ///< where the buffer's first byte belongs
  WrittenTail tail_;
  std::unique_ptr<std::byte[]> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace pystream::core
