#include "shm/mapping.hpp"

#include <sys/mman.h>

#include <boost/interprocess/mapped_region.hpp>

#include "base/system_error.hpp"

namespace pystream::shm {
namespace {

namespace ipc = boost::interprocess;

/// What mapped_region wants to map from: anything with a mapping handle.
struct FdHandle {
  int fd;
  ipc::mapping_handle_t get_mapping_handle() const { return ipc::ipcdetail::mapping_handle_from_file_handle(fd); }
};

ipc::mode_t mode(Access access) {
  return access == Access::read_only ? ipc::read_only : ipc::read_write;
}

void keep_from_children(void* data, std::size_t size) {
  if (::madvise(data, size, MADV_DONTFORK) != 0) {
    base::throw_errno("cannot keep a mapping from child processes");
  }
}

}  // namespace

Mapping map(int fd, std::uint64_t offset, std::uint64_t size, Access access) {
  const auto region =
      std::make_shared<ipc::mapped_region>(FdHandle{fd}, mode(access), static_cast<ipc::offset_t>(offset), size);
  keep_from_children(region->get_address(), size);
  auto* data = static_cast<std::byte*>(region->get_address());
  return {region, data, size};
}

Mapping map_twice(int fd, std::uint64_t offset, std::uint64_t size, Access access) {
  struct Halves {
    std::unique_ptr<ipc::mapped_region> low;
    std::unique_ptr<ipc::mapped_region> high;
  };
  // Reserves both halves in one place; the fixed mappings then replace the reservation and own it.
  void* reserved = ::mmap(nullptr, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) {
    base::throw_errno("cannot reserve address space for a ring");
  }
  auto* data = static_cast<std::byte*>(reserved);
  const auto halves = std::make_shared<Halves>();
  const auto half = [&](std::byte* at) {
    return std::make_unique<ipc::mapped_region>(FdHandle{fd}, mode(access), static_cast<ipc::offset_t>(offset), size,
                                                at, MAP_SHARED | MAP_FIXED);
  };
  try {
    halves->low = half(data);
    halves->high = half(data + size);
  } catch (...) {
    ::munmap(halves->low ? data + size : data, halves->low ? size : 2 * size);
    throw;
  }
  keep_from_children(data, 2 * size);
  return {halves, data, 2 * size};
}

}  // namespace pystream::shm
