#include <sys/mman.h>
#include <sys/wait.h>

#include <fstream>
#include <pystream/error.hpp>
#include <type_traits>

#include "support/child.hpp"
#include "support/link.hpp"

namespace pystream::shm {
namespace {

using namespace pystream::test;

SegmentSpec make_spec() {
  return {.workers = {{.stages = 1}, {.stages = 40, .segments = 3, .checkpoint_bytes = 5000}, {}},
          .links =
              {{.producer = 0, .consumers = {1}, .ring_bytes = 4096, .item_limit = 10'000, .large_limit = 2},
               {.producer = 1, .consumers = {2}, .ring_bytes = 65'536, .item_limit = 1 << 26, .answers = Answers::each},
               {.producer = 2, .consumers = {2}}},
          .plan = "the plan"};
}

/// A memfd with these bytes.
base::UniqueFd make_file(const std::string& bytes, unsigned seals = F_SEAL_SHRINK | F_SEAL_GROW) {
  base::UniqueFd fd(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(::write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  EXPECT_EQ(::fcntl(fd.get(), F_ADD_SEALS, seals), 0);
  return fd;
}

std::string bytes_of(const Segment& segment) {
  std::string bytes(segment.header().total_bytes, '\0');
  EXPECT_EQ(::pread(segment.fd(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  return bytes;
}

std::string fault_of(base::UniqueFd fd) {
  try {
    Segment::attach(std::move(fd));
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

TEST(SegmentTest, WhatWasLaidOutIsFoundAgain) {
  const Segment created = Segment::create(make_spec());
  const Segment sut = Segment::attach(base::UniqueFd(::dup(created.fd())));
  EXPECT_EQ(sut.plan(), "the plan");
  EXPECT_EQ(sut.header().workers, 3U);
  EXPECT_EQ(sut.header().links, 3U);
  EXPECT_EQ(sut.worker(1).stages, 40U);
  EXPECT_EQ(sut.worker(1).segments, 3U);
  EXPECT_GE(sut.worker(1).checkpoint_bytes, 5000U);
  EXPECT_EQ(sut.worker(2).checkpoint_bytes, 0U);
  EXPECT_EQ(sut.link(0).item_limit, 10'000U);
  EXPECT_EQ(sut.link(1).answers, 1U);
  EXPECT_EQ(sut.link(2).ring_bytes, 0U);
  EXPECT_EQ(sut.map_worker(1).stats.size(), 40U);
  EXPECT_EQ(sut.map_worker(2).checkpoints, nullptr);
  EXPECT_THROW(sut.map_producer(3), std::out_of_range);
}

TEST(SegmentTest, BeginsEmpty) {
  const Segment sut = Segment::create(make_spec());
  const ProducerEnd end = sut.map_producer(0);
  EXPECT_EQ(end.own->write_position, 0U);
  EXPECT_EQ(end.own->journal[0].write_position, 0U);
  EXPECT_EQ(end.own->journal[1].write_position, kInvalidPosition);
  EXPECT_EQ(end.peers[0]->read_position, 0U);
  EXPECT_EQ(sut.map_worker(0).page->number, kInvalidPosition);
}

TEST(SegmentTest, PartsDoNotOverlap) {
  const Segment sut = Segment::create(make_spec());
  std::vector<std::pair<std::uint64_t, std::uint64_t>> parts{{0, sut.header().table_bytes}};
  for (std::uint32_t i = 0; i < 3; ++i) {
    const WorkerEntry& worker = sut.worker(i);
    parts.emplace_back(worker.control_offset, kPage);
    parts.emplace_back(worker.page_offset, kWorkerPageBytes + worker.tracked * sizeof(StageStats));
    parts.emplace_back(worker.profile_offset, kPage + worker.segments * worker.batch_bytes + worker.rows * sizeof(Row));
    parts.emplace_back(worker.checkpoint_offset, 2 * worker.segments * worker.checkpoint_bytes);
    const LinkEntry& link = sut.link(i);
    parts.emplace_back(link.producer_offset, kPage);
    for (const ConsumerEntry& consumer : sut.consumers(i)) {
      parts.emplace_back(consumer.page_offset, kPage);
    }
    parts.emplace_back(link.ring_offset, link.ring_bytes);
    parts.emplace_back(link.large_offset, link.large_bytes);
  }
  std::erase_if(parts, [](const auto& part) { return part.second == 0; });
  std::sort(parts.begin(), parts.end());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    EXPECT_EQ(parts[i].first % kPage, 0U);
    const std::uint64_t end = i + 1 < parts.size() ? parts[i + 1].first : sut.header().total_bytes;
    EXPECT_LE(parts[i].first + parts[i].second, end) << "part " << i;
  }
}

TEST(SegmentTest, TheFootprintIsWhatIsReserved) {
  const Footprint sut = footprint(make_spec());
  const Segment segment = Segment::create(make_spec());
  struct stat status {};
  ASSERT_EQ(::fstat(segment.fd(), &status), 0);
  EXPECT_EQ(sut.reserved, static_cast<std::uint64_t>(status.st_blocks) * 512);
  EXPECT_EQ(sut.limit, static_cast<std::uint64_t>(status.st_size));
  EXPECT_LT(sut.reserved, std::uint64_t{1} << 20) << "the large area takes nothing before it is used";
}

TEST(SegmentTest, MoreThanThereIsFailsWithBothFigures) {
  SegmentSpec spec = make_spec();
  spec.links[0].ring_bytes = std::uint64_t{1} << 42;
  try {
    Segment::create(spec);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("the pipeline needs 4194305 MiB"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("are available"), std::string::npos) << error.what();
  }
}

TEST(SegmentTest, IsSealedAndHasNoName) {
  const Segment sut = Segment::create(make_spec());
  EXPECT_NE(::ftruncate(sut.fd(), 4096), 0);
  EXPECT_NE(::ftruncate(sut.fd(), static_cast<off_t>(sut.header().total_bytes * 2)), 0);
  EXPECT_NE(::fcntl(sut.fd(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(SegmentTest, ChildrenDoNotKeepMappings) {
  const Segment sut = Segment::create(make_spec());
  const ProducerEnd producer = sut.map_producer(0);
  const ConsumerEnd consumer = sut.map_consumer(0);
  const WorkerEnd worker = sut.map_worker(1);
  Child child([] {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      if (line.find("memfd:pystream") != std::string::npos) {
        ::_exit(2);
      }
    }
  });
  EXPECT_EQ(child.wait(), 0);
}

/// How a process ends that maps what `at` gives, reads it and then writes it. It maps by itself: a child keeps no
/// mapping of its parent.
template <class At>
int status_of_writing(const Segment& segment, At at, bool write) {
  Child child([&] {
    std::signal(SIGSEGV, SIG_DFL);  // a sanitizer would take it for a fault of the test
    const Segment mine = Segment::attach(base::UniqueFd(::dup(segment.fd())));
    at(mine, [write](const auto* target) {
      auto* bytes = reinterpret_cast<volatile char*>(
          const_cast<std::remove_const_t<std::remove_pointer_t<decltype(target)>>*>(target));
      const char value = *bytes;
      if (write) {
        *bytes = value;
      }
    });
  });
  return child.wait();
}

template <class At>
void expect_read_only(const Segment& segment, At at, const char* what) {
  EXPECT_EQ(status_of_writing(segment, at, false), 0) << what << " cannot be read";
  const int status = status_of_writing(segment, at, true);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) << what << " can be written";
}

TEST(SegmentTest, TheConsumerCannotWriteTheProducersMemory) {
  const Segment sut = Segment::create(make_spec());
  expect_read_only(
      sut, [](const Segment& s, auto touch) { touch(s.map_consumer(0).ring); }, "the ring");
  expect_read_only(
      sut, [](const Segment& s, auto touch) { touch(s.map_consumer(0).ring + 4096); }, "its second half");
  expect_read_only(
      sut, [](const Segment& s, auto touch) { touch(s.map_consumer(0).large); }, "the large area");
  expect_read_only(
      sut, [](const Segment& s, auto touch) { touch(s.map_consumer(0).peer); }, "the producer's page");
}

TEST(SegmentTest, TheProducerCannotWriteTheConsumersMemory) {
  const Segment sut = Segment::create(make_spec());
  expect_read_only(
      sut, [](const Segment& s, auto touch) { touch(s.map_producer(0).peers[0]); }, "the consumer's page");
}

TEST(SegmentTest, NobodyCanWriteWhatTheCoordinatorOwnsAndViceVersa) {
  const Segment sut = Segment::create(make_spec());
  expect_read_only(
      sut, [](const Segment& s, auto touch) { touch(s.map_worker(0).control); }, "the control page");
  expect_read_only(
      sut, [](const Segment& s, auto touch) { touch(s.plan().data()); }, "the plan");
  expect_read_only(
      sut, [](const Segment& s, auto touch) { touch(s.map_supervisor().workers[0].page); }, "a worker's page");
  expect_read_only(
      sut, [](const Segment& s, auto touch) { touch(s.map_supervisor().links[0].producer); }, "a link");
}

TEST(SegmentTest, ALinkWithoutLargeItemsMapsNothingForThem) {
  const Segment sut = Segment::create(
      {.workers = {{}, {}}, .links = {{.producer = 0, .consumers = {1}, .ring_bytes = 4096}}, .plan = ""});
  EXPECT_EQ(sut.link(0).large_bytes, 0U);
  const ProducerEnd end = sut.map_producer(0);
  EXPECT_EQ(end.large, nullptr) << "a mapping of length 0 would be one of all that follows in the segment";
  EXPECT_EQ(sut.map_consumer(0).large, nullptr);
  RingWriter ring(sut.map_producer(0));
  EXPECT_THROW(static_cast<void>(ring.try_reserve(4000)), ItemTooLarge);
  EXPECT_TRUE(put(ring, ""));
}

TEST(SegmentTest, AttachRefusesGarbage) {
  EXPECT_NE(fault_of(make_file("")).find("0 bytes"), std::string::npos);
  EXPECT_NE(fault_of(make_file("short")).find("5 bytes"), std::string::npos);
  EXPECT_NE(fault_of(make_file(std::string(8192, '\0'))).find("magic"), std::string::npos);
  EXPECT_NE(fault_of(make_file(payload_of(1, 65'536))).find("magic"), std::string::npos);
}

TEST(SegmentTest, AttachRefusesAnotherVersion) {
  std::string bytes = bytes_of(make_link());
  ++bytes[offsetof(SegmentHeader, version)];
  EXPECT_NE(fault_of(make_file(bytes)).find("version " + std::to_string(kAbiVersion + 1)), std::string::npos);
}

TEST(SegmentTest, AttachRefusesWhatWasCutOff) {
  const std::string bytes = bytes_of(make_link());
  for (std::size_t size = 0; size < bytes.size(); size += 1024) {
    EXPECT_NE(fault_of(make_file(bytes.substr(0, size))), "") << size;
  }
  EXPECT_NE(fault_of(make_file(bytes + std::string(4096, '\0'))), "");
  EXPECT_EQ(fault_of(make_file(bytes)), "");
}

TEST(SegmentTest, AttachRefusesWhatCanShrink) {
  EXPECT_NE(fault_of(make_file(bytes_of(make_link()), 0)).find("sealed"), std::string::npos)
      << "a shrunk file would be SIGBUS in every worker";
}

/// Every field of the tables with hostile values: attach() refuses, or what it accepts can be mapped and stays inside.
TEST(SegmentTest, AttachChecksEveryField) {
  const std::string good = bytes_of(make_link({.item_limit = 10'000}));
  const std::size_t tables = sizeof(SegmentHeader) + 2 * sizeof(WorkerEntry) + sizeof(LinkEntry);
  for (std::size_t at = 0; at < tables; at += 4) {
    for (const std::uint64_t value : {0ULL, 1ULL, 4096ULL, 0x7fffffffULL, 0xffffffffULL, 0x8000000000000000ULL,
                                      0xfffffffffffff000ULL, 0xffffffffffffffffULL}) {
      std::string bytes = good;
      std::memcpy(bytes.data() + at, &value, at % 8 == 0 ? 8 : 4);
      Child child([&] {
        try {
          const Segment sut = Segment::attach(make_file(bytes));
          for (std::uint32_t id = 0; id < sut.header().workers; ++id) {
            const WorkerEnd end = sut.map_worker(id);
            end.page->commits = 1;
            for (StageStats& stats : end.stats) {
              stats.items = 1;
            }
            if (end.checkpoints != nullptr) {
              end.checkpoints[2 * end.entry.segments * end.entry.checkpoint_bytes - 1] = std::byte{1};
            }
          }
          sut.map_supervisor();
          for (std::uint32_t id = 0; id < sut.header().links; ++id) {
            if (sut.link(id).ring_bytes == 0) {
              continue;
            }
            RingWriter writer(sut.map_producer(id));
            RingReader reader(sut.map_consumer(id), 0);
            for (const std::size_t size : {0, 100, 10'000, 60'000}) {
              put(writer, payload_of(size, size));
              writer.commit({.inputs_done = size});
            }
            take_all(reader);
          }
        } catch (const std::exception&) {
        }
      });
      ASSERT_EQ(child.wait(), 0) << "offset " << at << ", value " << value;
    }
  }
}

}  // namespace
}  // namespace pystream::shm
