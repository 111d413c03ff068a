#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "core/descriptor.hpp"

namespace pystream::core {

/// What a predecessor wrote behind its last commit, in a file that must not be cut because others may write to it too.
/// The bytes in the file are compared with those that are about to be written again; equal ones need not be written.
class WrittenTail {
 public:
  /// Nothing was written.
  WrittenTail() = default;
  /// `file` is readable; the bytes stand from `begin` to `end`.
  WrittenTail(Descriptor file, std::uint64_t begin, std::uint64_t end);

  bool over() const noexcept { return begin_ == end_; }
  /// How many of the first `bytes` stand there already. Ends the comparison at the first difference.
  std::size_t skip(std::span<const std::byte> bytes);
  /// True once a difference was found: others have written there.
  bool differs() const noexcept { return differs_; }

 private:
  Descriptor file_;
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
  bool differs_ = false;
};

}  // namespace pystream::core
