#include "shm/segment.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/interprocess/mapped_region.hpp>
#include <cstring>
#include <optional>
#include <pystream/error.hpp>

#include "base/memory.hpp"
#include "base/system_error.hpp"

namespace pystream::shm {
namespace {

namespace ipc = boost::interprocess;

/// What mapped_region wants to map from: anything with a mapping handle.
struct FdHandle {
  int fd;
  ipc::mapping_handle_t get_mapping_handle() const { return ipc::ipcdetail::mapping_handle_from_file_handle(fd); }
};

enum class Access { read_only, read_write };

ipc::mode_t mode(Access access) {
  return access == Access::read_only ? ipc::read_only : ipc::read_write;
}

void keep_from_children(void* data, std::size_t size) {
  if (::madvise(data, size, MADV_DONTFORK) != 0) {
    base::throw_errno("cannot keep a mapping from child processes");
  }
}

Mapping map(int fd, std::uint64_t offset, std::uint64_t size, Access access) {
  const auto region =
      std::make_shared<ipc::mapped_region>(FdHandle{fd}, mode(access), static_cast<ipc::offset_t>(offset), size);
  keep_from_children(region->get_address(), size);
  auto* data = static_cast<std::byte*>(region->get_address());
  return {region, data, size};
}

/// The same bytes twice in a row, so that what wraps around the end is contiguous.
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

constexpr std::uint32_t kSmallestSamples = 400;  ///< so that most batches end for other reasons

std::uint64_t batch_bytes(const WorkerEntry& worker) {
  return round_up(sizeof(Batch) + std::uint64_t{worker.tracked} * sizeof(HostedAfter) +
                      std::uint64_t{worker.samples} * (sizeof(Row) + sizeof(BucketAfter)),
                  kPage);
}

std::uint64_t profile_bytes(const WorkerEntry& worker) {
  return kPage + worker.segments * worker.batch_bytes + worker.rows * sizeof(Row);
}

ProfileArea profile_area(const WorkerEntry& worker, std::byte* at) {
  ProfileArea area{.page = reinterpret_cast<RowPage*>(at)};
  at += kPage;
  for (std::uint32_t i = 0; i < worker.segments; ++i, at += worker.batch_bytes) {
    auto* after = reinterpret_cast<HostedAfter*>(at + sizeof(Batch));
    auto* rows = reinterpret_cast<Row*>(after + worker.tracked);
    area.segments.push_back({.batch = reinterpret_cast<Batch*>(at),
                             .after = {after, worker.tracked},
                             .rows = {rows, worker.samples},
                             .buckets = {reinterpret_cast<BucketAfter*>(rows + worker.samples), worker.samples}});
  }
  area.rows = {reinterpret_cast<Row*>(at), worker.rows};
  return area;
}

/// Where everything stands: one walk that both footprint() and create() use.
struct Layout {
  SegmentHeader header{};
  std::vector<WorkerEntry> workers;
  std::vector<LinkEntry> links;
  struct Range {
    std::uint64_t offset;
    std::uint64_t size;
  };
  std::vector<Range> reserved;  ///< what gets memory at once; the rest is sparse

  explicit Layout(const SegmentSpec& spec) {
    const std::uint64_t tables =
        sizeof(SegmentHeader) + spec.workers.size() * sizeof(WorkerEntry) + spec.links.size() * sizeof(LinkEntry);
    header = {.magic = kMagic,
              .version = kAbiVersion,
              .header_bytes = sizeof(SegmentHeader),
              .total_bytes = 0,
              .table_bytes = round_up(tables + spec.plan.size(), kPage),
              .workers = static_cast<std::uint32_t>(spec.workers.size()),
              .links = static_cast<std::uint32_t>(spec.links.size()),
              .plan_offset = tables,
              .plan_bytes = spec.plan.size(),
              .config_offset = 0};
    take(header.table_bytes);
    header.config_offset = take(sizeof(ProfileConfig));
    for (const WorkerSize& size : spec.workers) {
      add(size);
    }
    for (const LinkSize& size : spec.links) {
      add(size);
    }
    header.total_bytes = end_;
  }

 private:
  std::uint64_t take(std::uint64_t bytes) {
    const std::uint64_t offset = end_;
    bytes = round_up(bytes, kPage);
    if (!reserved.empty() && reserved.back().offset + reserved.back().size == offset) {
      reserved.back().size += bytes;
    } else {
      reserved.push_back({offset, bytes});
    }
    end_ += bytes;
    return offset;
  }
  std::uint64_t take_sparse(std::uint64_t bytes) {
    const std::uint64_t offset = end_;
    end_ += round_up(bytes, kPage);
    return offset;
  }
  void add(const WorkerSize& size) {
    const std::uint32_t tracked = size.hosted + (size.tracks_pipeline ? 1 : 0);
    WorkerEntry entry{.control_offset = take(sizeof(ControlPage)),
                      .page_offset = take(kPage + tracked * sizeof(HostedStats)),
                      .checkpoint_offset = 0,
                      .checkpoint_bytes = 0,
                      .profile_offset = 0,
                      .batch_bytes = 0,
                      .rows = size.rows,
                      .hosted = size.hosted,
                      .tracked = tracked,
                      .samples = std::max(kSmallestSamples, tracked),
                      .segments = size.segments};
    entry.batch_bytes = batch_bytes(entry);
    entry.profile_offset = take(profile_bytes(entry));
    if (size.checkpoint_bytes > 0) {
      entry.checkpoint_bytes = round_up(size.checkpoint_bytes + sizeof(CheckpointHeader), kPage);
      entry.checkpoint_offset = take_sparse(2 * entry.segments * entry.checkpoint_bytes);
    }
    workers.push_back(entry);
  }
  void add(const LinkSize& size) {
    LinkEntry entry{};
    entry.producer_offset = take(sizeof(ProducerPage));
    entry.consumer_offset = take(sizeof(ConsumerPage));
    entry.ring_bytes = size.ring_bytes;
    entry.ring_offset = take(size.ring_bytes);
    if (size.ring_bytes > 0) {
      entry.large_bytes = size.item_limit == 0 ? 0 : std::bit_ceil(round_up(size.item_limit, kPage));
      entry.large_offset = take_sparse(entry.large_bytes);
    }
    if (size.overflow == Overflow::drop_oldest) {
      entry.inbox_bytes = kInboxPayload + entry.large_bytes;
      entry.inbox_offset = take_sparse(entry.inbox_bytes);
    }
    entry.item_limit = size.item_limit;
    entry.items_limit = size.items_limit;
    entry.large_limit = size.large_limit;
    entry.producer = size.producer;
    entry.consumer = size.consumer;
    entry.answers = size.answers ? 1 : 0;
    entry.overflow = static_cast<std::uint32_t>(size.overflow);
    links.push_back(entry);
  }

  std::uint64_t end_ = 0;
};

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

template <class T>
T copy_at(const std::byte* base, std::uint64_t offset) {
  T value;
  std::memcpy(&value, base + offset, sizeof(T));
  return value;
}

[[noreturn]] void throw_no_segment(const std::string& why) {
  throw Error("this shared memory is no pystream segment: " + why +
              "; use a worker program of the same version as the coordinator");
}

}  // namespace

/// A segment as it was attached: immutable, and shared with whoever maps more of it later.
struct SegmentContents {
  base::UniqueFd fd;
  SegmentHeader header{};
  std::vector<LinkEntry> links;
  std::vector<WorkerEntry> workers;
  Mapping tables;

  explicit SegmentContents(base::UniqueFd of);
  /// The link a worker reads, if it reads one only.
  std::optional<std::uint32_t> only_input(std::uint32_t worker) const {
    std::optional<std::uint32_t> found;
    for (std::uint32_t id = 0; id < links.size(); ++id) {
      if (links[id].consumer == worker && links[id].ring_bytes != 0) {
        if (found) {
          return std::nullopt;
        }
        found = id;
      }
    }
    return found;
  }
};

Footprint footprint(const SegmentSpec& spec) {
  const Layout layout(spec);
  Footprint result{.reserved = 0, .limit = layout.header.total_bytes};
  for (const Layout::Range& range : layout.reserved) {
    result.reserved += range.size;
  }
  return result;
}

Segment Segment::create(const SegmentSpec& spec) {
  const Layout layout(spec);
  require_memory(footprint(spec).reserved);
  base::UniqueFd fd(::memfd_create("pystream", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) {
    base::throw_errno("cannot create the shared memory");
  }
  if (::ftruncate(fd.get(), static_cast<off_t>(layout.header.total_bytes)) != 0) {
    base::throw_errno("cannot size the shared memory");
  }
  for (const Layout::Range& range : layout.reserved) {
    errno = ::posix_fallocate(fd.get(), static_cast<off_t>(range.offset), static_cast<off_t>(range.size));
    if (errno != 0) {
      base::throw_errno("cannot reserve " + mebibytes(range.size) + " of shared memory");
    }
  }
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    base::throw_errno("cannot seal the shared memory");
  }
  {
    const Mapping tables = map(fd.get(), 0, layout.header.table_bytes, Access::read_write);
    std::byte* to = tables.data();
    const auto put = [&](const void* from, std::size_t size) {
      if (size > 0) {
        std::memcpy(to, from, size);
      }
      to += size;
    };
    put(&layout.header, sizeof(SegmentHeader));
    put(layout.workers.data(), layout.workers.size() * sizeof(WorkerEntry));
    put(layout.links.data(), layout.links.size() * sizeof(LinkEntry));
    put(spec.plan.data(), spec.plan.size());
  }
  for (const LinkEntry& link : layout.links) {
    // All is zero: entry 0 of the journal matches write position 0. Entry 1 must match nothing yet.
    const Mapping page = map(fd.get(), link.producer_offset, kPage, Access::read_write);
    reinterpret_cast<ProducerPage*>(page.data())->journal[1].write_position = kInvalidPosition;
  }
  for (const WorkerEntry& worker : layout.workers) {
    const Mapping page = map(fd.get(), worker.page_offset, kPage, Access::read_write);
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

SegmentContents::SegmentContents(base::UniqueFd of) : fd(std::move(of)) {
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) {
    base::throw_errno("cannot look at the shared memory");
  }
  if (const int seals = ::fcntl(fd.get(), F_GET_SEALS); seals < 0 || (seals & F_SEAL_SHRINK) == 0) {
    throw_no_segment("it is not sealed against shrinking");
  }
  const auto file_bytes = static_cast<std::uint64_t>(status.st_size);
  if (file_bytes < kPage) {
    throw_no_segment("it has only " + std::to_string(file_bytes) + " bytes");
  }
  header = copy_at<SegmentHeader>(map(fd.get(), 0, kPage, Access::read_only).data(), 0);
  if (header.magic != kMagic) {
    throw_no_segment("wrong magic number");
  }
  if (header.version != kAbiVersion || header.header_bytes != sizeof(SegmentHeader)) {
    throw_no_segment("it has layout version " + std::to_string(header.version) + ", this program knows " +
                     std::to_string(kAbiVersion));
  }
  const std::uint64_t plan_offset =
      sizeof(SegmentHeader) + header.workers * sizeof(WorkerEntry) + std::uint64_t{header.links} * sizeof(LinkEntry);
  if (header.total_bytes != file_bytes || header.table_bytes > file_bytes || header.plan_offset != plan_offset ||
      header.plan_bytes > header.table_bytes || plan_offset > header.table_bytes - header.plan_bytes) {
    throw_no_segment("its sizes do not fit together");
  }
  tables = map(fd.get(), 0, header.table_bytes, Access::read_only);
  if (header.config_offset % kPage != 0 || header.config_offset > file_bytes - kPage) {
    throw_no_segment("its profile configuration lies outside");
  }
  std::uint64_t at = sizeof(SegmentHeader);
  for (std::uint32_t i = 0; i < header.workers; ++i, at += sizeof(WorkerEntry)) {
    workers.push_back(copy_at<WorkerEntry>(tables.data(), at));
  }
  for (std::uint32_t i = 0; i < header.links; ++i, at += sizeof(LinkEntry)) {
    links.push_back(copy_at<LinkEntry>(tables.data(), at));
  }
  const auto inside = [&](std::uint64_t offset, std::uint64_t size) {
    return offset % kPage == 0 && size <= file_bytes && offset <= file_bytes - size;
  };
  for (const WorkerEntry& worker : workers) {
    if (!inside(worker.control_offset, kPage) || worker.tracked > file_bytes / sizeof(HostedStats) ||
        worker.tracked < worker.hosted || !inside(worker.page_offset, kPage + worker.tracked * sizeof(HostedStats)) ||
        worker.rows > file_bytes / sizeof(Row) || (worker.rows != 0 && !std::has_single_bit(worker.rows)) ||
        worker.batch_bytes != batch_bytes(worker) || worker.segments > file_bytes / worker.batch_bytes ||
        !inside(worker.profile_offset, profile_bytes(worker)) || worker.checkpoint_bytes % kPage != 0 ||
        (worker.checkpoint_bytes != 0 && worker.segments > file_bytes / 2 / worker.checkpoint_bytes) ||
        !inside(worker.checkpoint_offset, 2 * worker.checkpoint_bytes * worker.segments)) {
      throw_no_segment("a worker's pages lie outside");
    }
  }
  for (const LinkEntry& link : links) {
    if (!inside(link.producer_offset, kPage) || !inside(link.consumer_offset, kPage) ||
        !inside(link.ring_offset, link.ring_bytes) || !inside(link.large_offset, link.large_bytes) ||
        !inside(link.inbox_offset, link.inbox_bytes) ||
        (link.inbox_bytes != 0 &&
         (link.inbox_bytes < kInboxPayload || link.inbox_bytes - kInboxPayload < link.large_bytes)) ||
        (link.ring_bytes != 0 &&
         (link.item_limit > link.large_bytes || (link.large_bytes != 0 && !std::has_single_bit(link.large_bytes)))) ||
        (link.ring_bytes != 0 && (!std::has_single_bit(link.ring_bytes) || link.ring_bytes < kPage)) ||
        link.producer >= header.workers || link.consumer >= header.workers) {
      throw_no_segment("a link's pages lie outside");
    }
  }
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

const WorkerEntry& Segment::worker(std::uint32_t id) const {
  return contents_->workers.at(id);
}

std::string_view Segment::plan() const {
  return {reinterpret_cast<const char*>(contents_->tables.data()) + header().plan_offset, header().plan_bytes};
}

/// Only a worker with one input passes items on as they are; so what is upstream of a link is one row of links.
bool Upstream::is_upstream(std::uint64_t link) const {
  std::uint32_t at = below_;
  for (std::size_t steps = 0; steps < contents_->links.size(); ++steps) {  // through the user's process it is a ring
    const std::optional<std::uint32_t> above = contents_->only_input(contents_->links[at].producer);
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

ProducerEnd Segment::map_producer(std::uint32_t id) const {
  ProducerEnd end{.id = id, .link = link(id)};
  const auto keep = [&](Mapping mapping) { return end.keep.emplace_back(std::move(mapping)).data(); };
  end.own = reinterpret_cast<ProducerPage*>(keep(map(fd(), end.link.producer_offset, kPage, Access::read_write)));
  end.peer = reinterpret_cast<const ConsumerPage*>(keep(map(fd(), end.link.consumer_offset, kPage, Access::read_only)));
  if (end.link.ring_bytes > 0) {
    end.ring = keep(map_twice(fd(), end.link.ring_offset, end.link.ring_bytes, Access::read_write));
    if (end.link.large_bytes > 0) {  // a mapping of length 0 would be one of all that follows
      end.large = keep(map(fd(), end.link.large_offset, end.link.large_bytes, Access::read_write));
    }
  }
  return end;
}

ConsumerEnd Segment::map_consumer(std::uint32_t id) const {
  ConsumerEnd end{.id = id, .link = link(id), .upstream = Upstream(contents_, id)};
  const auto keep = [&](Mapping mapping) { return end.keep.emplace_back(std::move(mapping)).data(); };
  end.own = reinterpret_cast<ConsumerPage*>(keep(map(fd(), end.link.consumer_offset, kPage, Access::read_write)));
  end.peer = reinterpret_cast<const ProducerPage*>(keep(map(fd(), end.link.producer_offset, kPage, Access::read_only)));
  end.ring = keep(map_twice(fd(), end.link.ring_offset, end.link.ring_bytes, Access::read_only));
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
  std::byte* pages =
      keep(map(fd(), end.entry.page_offset, kPage + end.entry.tracked * sizeof(HostedStats), Access::read_write));
  end.page = reinterpret_cast<WorkerPage*>(pages);
  end.stats = {reinterpret_cast<HostedStats*>(pages + kPage), end.entry.tracked};
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

SupervisorView Segment::map_supervisor() const {
  SupervisorView view;
  const auto keep = [&](Mapping mapping) { return view.keep.emplace_back(std::move(mapping)).data(); };
  view.config = reinterpret_cast<ProfileConfig*>(keep(map(fd(), header().config_offset, kPage, Access::read_write)));
  for (const WorkerEntry& entry : contents_->workers) {
    const std::byte* pages =
        keep(map(fd(), entry.page_offset, kPage + entry.tracked * sizeof(HostedStats), Access::read_only));
    view.workers.push_back(
        {.control = reinterpret_cast<ControlPage*>(keep(map(fd(), entry.control_offset, kPage, Access::read_write))),
         .page = reinterpret_cast<const WorkerPage*>(pages),
         .stats = {reinterpret_cast<const HostedStats*>(pages + kPage), entry.tracked},
         .rows = reinterpret_cast<const RowPage*>(keep(map(fd(), entry.profile_offset, kPage, Access::read_only)))});
  }
  for (const LinkEntry& entry : contents_->links) {
    view.links.push_back({.producer = reinterpret_cast<const ProducerPage*>(
                              keep(map(fd(), entry.producer_offset, kPage, Access::read_only))),
                          .consumer = reinterpret_cast<const ConsumerPage*>(
                              keep(map(fd(), entry.consumer_offset, kPage, Access::read_only)))});
  }
  return view;
}

}  // namespace pystream::shm
