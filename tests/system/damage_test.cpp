#include <sys/mman.h>

#include <cstddef>
#include <filesystem>

#include "support/pipeline_run.hpp"
#include "support/segment_of.hpp"

/// Somebody writes over a link between two workers of a running pipeline. Neither of them crashes; what is noticed ends
/// the pipeline with an error that names the link. The suite takes a sample of the bytes; with PYSTREAM_TEST_FULL it is
/// every one.
namespace pystream {
namespace {

using namespace pystream::test;
using namespace std::chrono_literals;

/// A source that never waits, in front of a slow stage: between them the link is full.
const std::string kPlan =
    R"({"source": {"type": "generate", "params": {"size": 8}},
        "stages": [{"name": "Slow", "type": "wait", "params": {"time": "200us"}}],
        "sink": {"type": "discard"}, "profiler": {"enabled": false}, "restarts": {"max_restarts": 1},
        "links": {"capacity": {"time": "0s"}}})";
constexpr std::uint64_t kRecord = 48;  ///< bytes of an item of 8 in the ring
const std::string kNamed = "link Source -> Slow is damaged";

/// All of a segment's memory, to be written by anybody.
class Memory {
 public:
  explicit Memory(const shm::Segment& segment)
      : size_(segment.header().total_bytes),
        data_(static_cast<std::byte*>(::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, segment.fd(), 0))) {}
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() { ::munmap(data_, size_); }
  std::byte& at(std::uint64_t offset) const { return data_[offset]; }

 private:
  std::size_t size_;
  std::byte* data_;
};

struct Outcome {
  int code = 0;
  std::string errors;
  bool noticed() const { return errors.find(kNamed) != std::string::npos; }
};

/// `place`: where in the segment to flip a byte of the link.
Outcome run_and_flip(const std::function<std::uint64_t(const shm::Segment&, const shm::SupervisorView&)>& place,
                     std::byte flip) {
  const TempFolder folder;
  PipelineRun run(kPlan, folder);
  if (!wait_until([&] { return run.workers().size() == 3; })) {
    throw std::runtime_error(run.errors());
  }
  const shm::Segment segment = segment_of(run.pid());
  const shm::SupervisorView view = segment.map_supervisor();
  const shm::ConsumerPage& consumer = *view.links[0].consumers[0];
  wait_until([&] { return consumer.read_number.load() > 10 && view.workers[0].page->phase.load() == 4; });
  Memory(segment).at(place(segment, view)) ^= flip;
  const std::uint64_t then = consumer.read_number.load();
  // Beyond the damaged record, or at the end because of it.
  wait_until([&] { return run.ended() || consumer.read_number.load() > then + 100; }, 3s);
  wait_until([&] {  // one to drain, the next to stop; two at once would be one
    run.signal(SIGINT);
    return run.ended();
  });
  const int code = run.wait();
  return {.code = code, .errors = run.errors()};
}

void expect_no_crash(const Outcome& outcome, const std::string& what) {
  EXPECT_TRUE(outcome.code == 0 || outcome.code == 1 || outcome.code == 130) << what << ": " << outcome.code;
  EXPECT_EQ(outcome.errors.find("was killed by"), std::string::npos) << what << "\n" << outcome.errors;
  if (outcome.code == 1) {
    EXPECT_TRUE(outcome.noticed()) << what << "\n" << outcome.errors;
  }
}

int stride() {
  return std::getenv("PYSTREAM_TEST_FULL") != nullptr ? 1 : 5;
}

TEST(Damage, OfARecord) {
  for (std::uint64_t byte = 0; byte < kRecord; byte += static_cast<std::uint64_t>(stride())) {
    const Outcome outcome = run_and_flip(
        [&](const shm::Segment& segment, const shm::SupervisorView& view) {
          const std::uint64_t next = view.links[0].consumers[0]->read_position.load() + 20 * kRecord + byte;
          return segment.link(0).ring_offset + next % segment.link(0).ring_bytes;
        },
        std::byte{0x15});
    expect_no_crash(outcome, "byte " + std::to_string(byte));
    if (byte < 7 || (byte >= 16 && byte < 20)) {  // number and kind; size
      EXPECT_TRUE(outcome.noticed()) << "byte " << byte << "\n" << outcome.errors;
    }
  }
}

TEST(Damage, OfTheProducersPage) {
  constexpr std::uint64_t kBytes = offsetof(shm::ProducerPage, asleep_at) + 8;
  for (std::uint64_t byte = 0; byte < kBytes; byte += static_cast<std::uint64_t>(stride() * 8 - 7)) {
    for (const std::byte flip : {std::byte{0x01}, std::byte{0xff}}) {
      const Outcome outcome =
          run_and_flip([&](const shm::Segment& segment,
                           const shm::SupervisorView&) { return segment.link(0).producer_offset + byte; },
                       flip);
      expect_no_crash(outcome, "byte " + std::to_string(byte));
    }
  }
}

TEST(Damage, OfTheConsumersPage) {
  for (std::uint64_t byte = 0; byte < offsetof(shm::ConsumerPage, asleep_at) + 8;
       byte += static_cast<std::uint64_t>(stride() * 2 - 1)) {
    const Outcome outcome =
        run_and_flip([&](const shm::Segment& segment,
                         const shm::SupervisorView&) { return segment.consumers(0)[0].page_offset + byte; },
                     std::byte{0xff});
    expect_no_crash(outcome, "byte " + std::to_string(byte));
  }
}

/// What came in belongs to the worker before this one.
TEST(Damage, AStageThatWritesOverItsInputFaults) {
  const TempFolder folder;
  write_file(folder / "in.txt", "first\nsecond\nthird\n");
  PipelineRun run(R"({"plugins": ["libpystream_testing.so"], "source": {"type": "lines", "params": {"path": ")" +
                      (folder / "in.txt") +
                      R"("}}, "stages": [{"name": "Bad", "type": "test.crash", "on_crash": "skip",
                                          "params": {"how": "scribble", "sequence": 1, "attempts": 99}}],
                          "sink": {"type": "file_writer", "params": {"path": ")" +
                      (folder / "out.txt") + R"("}}, "profiler": {"enabled": false}})",
                  folder);
  EXPECT_EQ(run.wait(), 0) << run.errors();
  EXPECT_NE(run.errors().find("stage Bad was killed by SIGSEGV"), std::string::npos) << run.errors();
  EXPECT_EQ(read_file(folder / "out.txt"), "first\nthird\n");
}

}  // namespace
}  // namespace pystream
