#include "shm/large_area.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <pystream/error.hpp>
#include <string>
#include <system_error>

namespace pystream::shm {

LargeArea::LargeArea(const ProducerEnd& end, const ProducerCheck& check)
    : data_(end.large),
      bytes_(end.link.large_bytes),
      mask_(end.link.large_bytes - 1),
      shared_populated_(&end.own->populated),
      populated_(end.own->populated.load(std::memory_order_relaxed)) {
  check(populated_ % kPage == 0 && populated_ <= bytes_, "its large area does not have memory up to a page's end");
}

void LargeArea::populate(std::uint64_t end, std::size_t size) {
  const std::uint64_t want = std::min(round_up(end, kPage), bytes_);
  while (::madvise(data_ + populated_, want - populated_, MADV_POPULATE_WRITE) != 0) {
    if (errno != EINTR && errno != EAGAIN) {
      throw Error("no memory for an item of " + std::to_string(size) +
                  " bytes in this link's large area: " + std::generic_category().message(errno));
    }
  }
  populated_ = want;
  shared_populated_->store(want, std::memory_order_relaxed);
}

}  // namespace pystream::shm
