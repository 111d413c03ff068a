#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace pystream::core {

/// Bytes on their way through a pipe: written at the end, taken from the front.
class ByteQueue {
 public:
  std::span<const std::byte> bytes() const { return std::span(bytes_).subspan(begin_); }
  bool empty() const { return begin_ == bytes_.size(); }
  std::size_t size() const { return bytes_.size() - begin_; }
  void drop(std::size_t count) {
    begin_ += count;
    if (begin_ == bytes_.size()) {
      bytes_.clear();
      begin_ = 0;
    }
  }
  /// The underlying bytes, to append to.
  std::vector<std::byte>& tail() {
    if (begin_ > bytes_.size() / 2) {
      bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(begin_));
      begin_ = 0;
    }
    return bytes_;
  }

 private:
  std::vector<std::byte> bytes_;
  std::size_t begin_ = 0;
};

}  // namespace pystream::core
