#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

/// Parts of a file in this process's memory. The only room of Boost.Interprocess is mapping.cpp.
namespace pystream::shm {

/// A mapped range; unmapped on destruction. Never inherited by children (MADV_DONTFORK).
class Mapping {
 public:
  Mapping() = default;
  Mapping(std::shared_ptr<void> keep, std::byte* data, std::size_t size)
      : keep_(std::move(keep)), data_(data), size_(size) {}
  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  std::shared_ptr<void> keep_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

enum class Access { read_only, read_write };

/// `offset` is that of a page; `size` is not 0, which would be all that follows.
Mapping map(int fd, std::uint64_t offset, std::uint64_t size, Access access);
/// The same bytes twice in a row, so that what wraps around the end is contiguous. `size` is one of whole pages.
Mapping map_twice(int fd, std::uint64_t offset, std::uint64_t size, Access access);

}  // namespace pystream::shm
