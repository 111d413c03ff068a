#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <tuple>

#include "shm/ring_reader.hpp"
#include "shm/ring_writer.hpp"
#include "shm/segment.hpp"

/// Memory of a link as a neighbour gone wrong may leave it, and tables of a segment as no coordinator writes them. Both
/// ends refuse it or go on within bounds.
namespace {

using namespace pystream;
using namespace pystream::shm;

const LinkSize kLink{.producer = 0, .consumers = {1}, .ring_bytes = 4096, .item_limit = 8192, .items_limit = 64};

SegmentSpec spec(bool drops) {
  LinkSize link = kLink;
  link.overflow = drops ? Overflow::drop_oldest : Overflow::block;
  return {.workers = {{}, {.stages = 1}}, .links = {link}, .plan = "{}"};
}

void put(RingWriter& ring, std::size_t size, int byte) {
  if (std::byte* to = ring.try_reserve(size); to != nullptr) {
    if (size > 0) {
      std::memset(to, byte, size);
    }
    ring.finish(size, {.sequence = ring.next_number()});
  }
}

void put_run(RingWriter& ring, std::size_t size, std::uint32_t items) {
  if (const std::uint32_t room = ring.try_reserve_run(size, items); room > 0) {
    std::memset(ring.run_start(), 'r', room * size);
    ring.finish_run(size, {.items = room, .sequences = low_bits(room)}, {.sequence = ring.next_number()});
  }
}

void write(RingWriter& ring) {
  for (const std::size_t size : {10, 0, 200, 5000, 16}) {
    put(ring, size, 'x');
  }
  if (ring.overflow() == Overflow::block) {
    put_run(ring, 12, 5);
    put_run(ring, 2, 100);
  }
  std::ignore = ring.try_mark(RecordKind::tombstone, {});
  ring.commit({.inputs_done = ring.next_number()});
}

std::uint64_t read(RingReader& ring, int records) {
  std::uint64_t sum = 0;
  for (int i = 0; i < records; ++i) {
    const Record* record = ring.try_peek();
    if (record == nullptr) {
      break;
    }
    for (const std::byte byte : record->payload) {
      sum += std::to_integer<std::uint64_t>(byte);
    }
    ring.advance();
    ring.release();
  }
  return sum;
}

/// Takes a few bytes of the input at a time.
class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : text_(reinterpret_cast<const char*>(data), size) {}
  bool empty() const { return text_.empty(); }
  template <class T>
  T take() {
    T value{};
    const std::size_t size = std::min(sizeof(T), text_.size());
    std::memcpy(&value, text_.data(), size);
    text_.remove_prefix(size);
    return value;
  }

 private:
  std::string_view text_;
};

/// Writes words at places of the link: "which part, where in it, what".
void damage(const Segment& segment, Bytes& input) {
  const LinkEntry& link = segment.link(0);
  const std::size_t size = segment.header().total_bytes;
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, segment.fd(), 0);
  for (int i = 0; i < 16 && !input.empty(); ++i) {
    const std::uint64_t parts[] = {link.producer_offset, segment.consumers(0)[0].page_offset, link.ring_offset,
                                   link.inbox_bytes != 0 ? link.inbox_offset : link.ring_offset + kPage / 2};
    const std::uint64_t part = parts[input.take<std::uint8_t>() % 4];
    const std::uint64_t at = part + input.take<std::uint16_t>() % (kPage - 8);
    const auto value = input.take<std::uint64_t>();
    std::memcpy(static_cast<std::byte*>(memory) + at, &value, sizeof(value));
  }
  ::munmap(memory, size);
}

template <class Action>
void refused_or_done(Action action) {
  try {
    action();
  } catch (const std::exception&) {  // LinkCorrupt, or what is claimed cannot be mapped
  }
}

void check_link(Bytes input) {
  const auto choice = input.take<std::uint8_t>();
  const Segment segment = Segment::create(spec((choice & 1) != 0));
  RingWriter writer(segment.map_producer(0));
  RingReader reader(segment.map_consumer(0), 0);
  write(writer);
  refused_or_done([&] { read(reader, choice >> 1 & 3); });
  damage(segment, input);
  if ((choice & 8) != 0) {
    refused_or_done([&] { read(reader, 100); });
    refused_or_done([&] { write(writer); });
  }
  refused_or_done([&] {
    RingReader successor(segment.map_consumer(0), choice >> 4 & 7);
    read(successor, 100);
  });
  refused_or_done([&] {
    RingWriter successor(segment.map_producer(0));
    write(successor);
  });
}

/// A file of the right size whose tables are not right.
void check_attach(Bytes input) {
  const Segment good = Segment::create(spec(false));
  base::UniqueFd fd(::memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const std::size_t size = good.header().total_bytes;
  std::string tables(good.header().table_bytes, '\0');
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0 ||
      ::pread(good.fd(), tables.data(), tables.size(), 0) != static_cast<ssize_t>(tables.size())) {
    return;
  }
  while (!input.empty()) {
    const std::size_t at = input.take<std::uint16_t>() % std::min<std::size_t>(tables.size() - 8, 512);
    const auto value = input.take<std::uint64_t>();
    std::memcpy(tables.data() + at, &value, sizeof(value));
  }
  [[maybe_unused]] const ssize_t put = ::pwrite(fd.get(), tables.data(), tables.size(), 0);
  ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
  refused_or_done([&] {
    const Segment segment = Segment::attach(std::move(fd));
    segment.map_supervisor();
    for (std::uint32_t worker = 0; worker < segment.header().workers; ++worker) {
      segment.map_worker(worker);
    }
    for (std::uint32_t link = 0; link < segment.header().links; ++link) {
      RingWriter writer(segment.map_producer(link));
      RingReader reader(segment.map_consumer(link), 0);
      write(writer);
      read(reader, 100);
    }
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes input(data, size);
  if (input.take<std::uint8_t>() % 4 == 0) {
    check_attach(input);
  } else {
    check_link(input);
  }
  return 0;
}
