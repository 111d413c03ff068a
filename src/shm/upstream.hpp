#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "shm/mapping.hpp"

namespace pystream::shm {

struct SegmentContents;

/// The large areas upstream of one link, to which its records may refer. One is mapped, read-only, when a record refers
/// to it for the first time: of a thousand workers in a row most never see a reference.
class Upstream {
 public:
  struct Area {
    std::uint64_t link = 0;
    std::uint64_t bytes = 0;  ///< a power of two
    const std::byte* data = nullptr;
    Mapping keep;
  };
  Upstream() = default;
  Upstream(std::shared_ptr<const SegmentContents> contents, std::uint32_t link)
      : contents_(std::move(contents)), below_(link) {}
  /// nullptr if no item can have come down from `link` as it was. Valid until the next call.
  const Area* find(std::uint64_t link);

 private:
  bool is_upstream(std::uint64_t link) const;

  std::shared_ptr<const SegmentContents> contents_;
  std::uint32_t below_ = 0;
  std::vector<Area> areas_;
};

}  // namespace pystream::shm
