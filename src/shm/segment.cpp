#include "shm/segment.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <pystream/error.hpp>
#include <stdexcept>
#include <string>

#include "base/memory.hpp"
#include "base/mutation.hpp"
#include "base/system_error.hpp"
#include "shm/segment_contents.hpp"
#include "shm/segment_layout.hpp"

namespace pystream::shm {
namespace {

std::string mebibytes(std::uint64_t bytes) {
  return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB";
}

void require_memory(std::uint64_t needed) {
  const std::uint64_t available = base::available_memory();
  if (needed > available) {
    throw Error("the pipeline needs " + mebibytes(needed) + " of shared memory at the start, and only " +
                mebibytes(available) + " are available; lower links.capacity.bytes or use fewer parallel stages");
  }
}

}  // namespace

Segment Segment::create(const SegmentSpec& spec) {
  const SegmentLayout layout(spec);
  require_memory(footprint(spec).reserved);
  base::UniqueFd fd(::memfd_create("pystream", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) {
    base::throw_errno("cannot create the shared memory");
  }
  if (::ftruncate(fd.get(), static_cast<off_t>(layout.header().total_bytes)) != 0) {
    base::throw_errno("cannot size the shared memory to " + mebibytes(layout.header().total_bytes) +
                      (errno == EFBIG ? " (the size of files is limited: ulimit -f)" : ""));
  }
  for (const SegmentLayout::Range& range : layout.reserved()) {
    errno = ::posix_fallocate(fd.get(), static_cast<off_t>(range.offset), static_cast<off_t>(range.size));
    if (errno != 0) {
      base::throw_errno("cannot reserve " + mebibytes(range.size) + " of shared memory");
    }
  }
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    base::throw_errno("cannot seal the shared memory");
  }
  {
    const Mapping tables = map(fd.get(), 0, layout.header().table_bytes, Access::read_write);
    std::byte* to = tables.data();
    const auto put = [&](const void* from, std::size_t size) {
      if (size > 0) {
        std::memcpy(to, from, size);
      }
      to += size;
    };
    put(&layout.header(), sizeof(SegmentHeader));
    put(layout.workers().data(), layout.workers().size() * sizeof(WorkerEntry));
    put(layout.links().data(), layout.links().size() * sizeof(LinkEntry));
    put(layout.consumers().data(), layout.consumers().size() * sizeof(ConsumerEntry));
    put(spec.plan.data(), spec.plan.size());
  }
  for (const LinkEntry& link : layout.links()) {
    // All is zero: entry 0 of the journal matches write position 0. Entry 1 must match nothing yet.
    const Mapping page = map(fd.get(), link.producer_offset, kPage, Access::read_write);
    reinterpret_cast<ProducerPage*>(page.data())->journal[1].write_position = kInvalidPosition;
  }
  for (const WorkerEntry& worker : layout.workers()) {
    const Mapping page = map(fd.get(), worker.page_offset, kWorkerPageBytes, Access::read_write);
    reinterpret_cast<WorkerPage*>(page.data())->number.store(kInvalidPosition, std::memory_order_relaxed);
    const Mapping profile = map(fd.get(), worker.profile_offset, profile_bytes(worker), Access::read_write);
    for (const ProfileArea::Segment& segment : profile_area(worker, profile.data()).segments) {
      segment.batch->tag = kInvalidPosition;
      segment.batch->applied = kInvalidPosition;
    }
  }
  return attach(std::move(fd));
}

Segment Segment::attach(base::UniqueFd fd) {
  return Segment(std::make_shared<const SegmentContents>(std::move(fd)));
}

int Segment::fd() const {
  return contents_->fd.get();
}

const SegmentHeader& Segment::header() const {
  return contents_->header;
}

const LinkEntry& Segment::link(std::uint32_t id) const {
  return contents_->links.at(id);
}

std::span<const ConsumerEntry> Segment::consumers(std::uint32_t id) const {
  return contents_->consumers_of(link(id));
}

const WorkerEntry& Segment::worker(std::uint32_t id) const {
  return contents_->workers.at(id);
}

std::string_view Segment::plan() const {
  return {reinterpret_cast<const char*>(contents_->tables.data()) + header().plan_offset, header().plan_bytes};
}

ProducerEnd Segment::map_producer(std::uint32_t id) const {
  ProducerEnd end;
  end.id = id;
  end.link = link(id);
  const auto keep = [&](Mapping mapping) { return end.keep.emplace_back(std::move(mapping)).data(); };
  end.own = reinterpret_cast<ProducerPage*>(keep(map(fd(), end.link.producer_offset, kPage, Access::read_write)));
  for (const ConsumerEntry& consumer : consumers(id)) {
    end.peers.push_back(
        reinterpret_cast<const ConsumerPage*>(keep(map(fd(), consumer.page_offset, kPage, Access::read_only))));
  }
  if (end.link.ring_bytes > 0) {
    end.ring = keep(map_twice(fd(), end.link.ring_offset, end.link.ring_bytes, Access::read_write));
    if (end.link.large_bytes > 0) {  // a mapping of length 0 would be one of all that follows
      end.large = keep(map(fd(), end.link.large_offset, end.link.large_bytes, Access::read_write));
    }
  }
  return end;
}

ConsumerEnd Segment::map_consumer(std::uint32_t id, std::uint32_t index) const {
  ConsumerEnd end{.id = id, .index = index, .link = link(id), .upstream = Upstream(contents_, id)};
  if (index >= end.link.consumers) {
    throw std::out_of_range("a link has no such consumer");
  }
  const auto keep = [&](Mapping mapping) { return end.keep.emplace_back(std::move(mapping)).data(); };
  end.own =
      reinterpret_cast<ConsumerPage*>(keep(map(fd(), consumers(id)[index].page_offset, kPage, Access::read_write)));
  end.peer = reinterpret_cast<const ProducerPage*>(keep(map(fd(), end.link.producer_offset, kPage, Access::read_only)));
  const Access ring = base::mutated(base::Mutation::map_ring_writable) ? Access::read_write : Access::read_only;
  end.ring = keep(map_twice(fd(), end.link.ring_offset, end.link.ring_bytes, ring));
  if (end.link.large_bytes > 0) {
    end.large = keep(map(fd(), end.link.large_offset, end.link.large_bytes, Access::read_only));
  }
  if (end.link.inbox_bytes > 0) {
    end.inbox = keep(map(fd(), end.link.inbox_offset, end.link.inbox_bytes, Access::read_write));
  }
  return end;
}

WorkerEnd Segment::map_worker(std::uint32_t id) const {
  WorkerEnd end{.entry = worker(id)};
  const auto keep = [&](Mapping mapping) { return end.keep.emplace_back(std::move(mapping)).data(); };
  end.control =
      reinterpret_cast<const ControlPage*>(keep(map(fd(), end.entry.control_offset, kPage, Access::read_only)));
  std::byte* pages = keep(
      map(fd(), end.entry.page_offset, kWorkerPageBytes + end.entry.tracked * sizeof(StageStats), Access::read_write));
  end.page = reinterpret_cast<WorkerPage*>(pages);
  end.stats = {reinterpret_cast<StageStats*>(pages + kWorkerPageBytes), end.entry.tracked};
  end.config =
      reinterpret_cast<const ProfileConfig*>(keep(map(fd(), header().config_offset, kPage, Access::read_only)));
  end.profile =
      profile_area(end.entry, keep(map(fd(), end.entry.profile_offset, profile_bytes(end.entry), Access::read_write)));
  if (end.entry.checkpoint_bytes > 0) {
    end.checkpoints = keep(map(fd(), end.entry.checkpoint_offset, 2 * end.entry.segments * end.entry.checkpoint_bytes,
                               Access::read_write));
  }
  return end;
}

std::uint64_t SupervisorView::Link::overrun() const {
  std::uint64_t all = 0;
  for (const ConsumerPage* page : consumers) {
    all += page->overrun.load(std::memory_order_relaxed);
  }
  return all;
}

std::uint64_t SupervisorView::Link::least(std::atomic<std::uint64_t> ConsumerPage::*value, std::size_t of) const {
  std::uint64_t least = kInvalidPosition;
  for (const ConsumerPage* page : std::span(consumers).first(of)) {
    least = std::min(least, (page->*value).load(std::memory_order_seq_cst));
  }
  return least;
}

SupervisorView Segment::map_supervisor() const {
  SupervisorView view;
  const auto keep = [&](Mapping mapping) { return view.keep.emplace_back(std::move(mapping)).data(); };
  view.config = reinterpret_cast<ProfileConfig*>(keep(map(fd(), header().config_offset, kPage, Access::read_write)));
  for (const WorkerEntry& entry : contents_->workers) {
    const std::byte* pages =
        keep(map(fd(), entry.page_offset, kWorkerPageBytes + entry.tracked * sizeof(StageStats), Access::read_only));
    view.workers.push_back(
        {.control = reinterpret_cast<ControlPage*>(keep(map(fd(), entry.control_offset, kPage, Access::read_write))),
         .page = reinterpret_cast<const WorkerPage*>(pages),
         .stats = {reinterpret_cast<const StageStats*>(pages + kWorkerPageBytes), entry.tracked},
         .rows = reinterpret_cast<const RowPage*>(keep(map(fd(), entry.profile_offset, kPage, Access::read_only)))});
  }
  for (const LinkEntry& entry : contents_->links) {
    SupervisorView::Link& link = view.links.emplace_back();
    link.producer =
        reinterpret_cast<const ProducerPage*>(keep(map(fd(), entry.producer_offset, kPage, Access::read_only)));
    link.takers = takers(entry);
    for (const ConsumerEntry& consumer : contents_->consumers_of(entry)) {
      link.consumers.push_back(
          reinterpret_cast<const ConsumerPage*>(keep(map(fd(), consumer.page_offset, kPage, Access::read_only))));
    }
  }
  return view;
}

}  // namespace pystream::shm
