#include "shm/upstream.hpp"

#include <algorithm>
#include <optional>

#include "shm/segment_contents.hpp"

namespace pystream::shm {
namespace {

/// The link a worker reads, if it reads one only.
std::optional<std::uint32_t> only_input(const SegmentContents& contents, std::uint32_t worker) {
  std::optional<std::uint32_t> found;
  for (std::uint32_t id = 0; id < contents.links.size(); ++id) {
    const std::span<const ConsumerEntry> consumers = contents.consumers_of(contents.links[id]);
    const bool reads = std::any_of(consumers.begin(), consumers.end(),
                                   [&](const ConsumerEntry& consumer) { return consumer.worker == worker; });
    if (reads && contents.links[id].ring_bytes != 0) {
      if (found) {
        return std::nullopt;
      }
      found = id;
    }
  }
  return found;
}

}  // namespace

/// Only a worker with one input passes items on as they are; so what is upstream of a link is one row of links.
bool Upstream::is_upstream(std::uint64_t link) const {
  std::uint32_t at = below_;
  for (std::size_t steps = 0; steps < contents_->links.size(); ++steps) {  // through the user's process it is a ring
    const std::optional<std::uint32_t> above = only_input(*contents_, contents_->links[at].producer);
    if (!above) {
      return false;
    }
    at = *above;
    if (at == link) {
      return true;
    }
  }
  return false;
}

const Upstream::Area* Upstream::find(std::uint64_t link) {
  for (const Area& area : areas_) {
    if (area.link == link) {
      return &area;
    }
  }
  if (contents_ == nullptr || link >= contents_->links.size() || !is_upstream(link)) {
    return nullptr;
  }
  const LinkEntry& entry = contents_->links[link];
  if (entry.large_bytes == 0) {
    return nullptr;
  }
  Mapping mapping = map(contents_->fd.get(), entry.large_offset, entry.large_bytes, Access::read_only);
  const std::byte* data = mapping.data();
  return &areas_.emplace_back(Area{.link = link, .bytes = entry.large_bytes, .data = data, .keep = std::move(mapping)});
}

}  // namespace pystream::shm
