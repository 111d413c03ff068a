#include "worker/cursors.hpp"

#include <cstring>
#include <pystream/error.hpp>
#include <string>

#include "shm/ring_abi.hpp"

namespace pystream::worker {

Cursors::Cursors(const std::vector<std::unique_ptr<StageAdapter>>& stages) {
  std::size_t bytes = 0;
  for (const auto& one : stages) {
    if (const std::span<std::byte> cursor = one->cursor(); !cursor.empty()) {
      cursors_.push_back(cursor);
      bytes += cursor.size();
    }
  }
  if (bytes > shm::kCursorBytes) {
    throw Error("the cursors of a segment's source and sinks take " + std::to_string(bytes) +
                " bytes, and there is room for " + std::to_string(shm::kCursorBytes));
  }
  kept_.resize(bytes);
}

void Cursors::keep() {
  std::byte* to = kept_.data();
  for (const std::span<std::byte> cursor : cursors_) {
    std::memcpy(to, cursor.data(), cursor.size());
    to += cursor.size();
  }
}

void Cursors::restore(const std::byte* kept) {
  for (const std::span<std::byte> cursor : cursors_) {
    std::memcpy(cursor.data(), kept, cursor.size());
    kept += cursor.size();
  }
}

}  // namespace pystream::worker
