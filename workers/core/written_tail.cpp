#include "core/written_tail.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace pystream::core {

WrittenTail::WrittenTail(Descriptor file, std::uint64_t begin, std::uint64_t end)
    : file_(std::move(file)), begin_(begin), end_(end) {}

std::size_t WrittenTail::skip(std::span<const std::byte> bytes) {
  std::array<std::byte, 16384> there;
  std::size_t skipped = 0;
  while (!over() && skipped < bytes.size()) {
    const std::size_t want = std::min({there.size(), bytes.size() - skipped, static_cast<std::size_t>(end_ - begin_)});
    const ssize_t got = ::pread(file_.get(), there.data(), want, static_cast<off_t>(begin_));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    const auto count = static_cast<std::size_t>(std::max<ssize_t>(got, 0));
    const auto here = bytes.subspan(skipped, count);
    const auto equal = static_cast<std::size_t>(std::ranges::mismatch(here, there).in1 - here.begin());
    begin_ += equal;
    skipped += equal;
    if (count == 0 || equal < count) {
      differs_ = true;
      begin_ = end_;
    }
  }
  return skipped;
}

}  // namespace pystream::core
