// Passes ITEMS items of 64 bytes through a link or a worker, in one process, so that instructions can be counted:
//   counted_work ring|runs|typed|raw|source|lines ITEMS
// A count for twice the items less one for once is the cost of the items alone.

#include <cstdio>
#include <cstdlib>
#include <string>

#include "bench/chain_stages.hpp"
#include "support/worker_rig.hpp"

namespace {

using namespace pystream;
using namespace pystream::bench;

constexpr std::size_t kBytes = 64;
constexpr std::uint64_t kBatch = 256;
const shm::LinkSize kLink{.ring_bytes = 1 << 20, .item_limit = 1 << 20};

void write_batch(shm::RingWriter& ring) {
  for (std::uint64_t i = 0; i < kBatch; ++i) {
    std::byte* to = ring.try_reserve(kBytes);
    if (to == nullptr) {
      give_up("a link is full");
    }
    std::memset(to, 0, kBytes);
    ring.finish(kBytes, {.sequence = ring.next_number()});
  }
  ring.commit({.inputs_done = ring.next_number()});
}

/// As a stage of a plain type writes them.
void write_runs(shm::RingWriter& ring) {
  for (std::uint64_t left = kBatch; left > 0;) {
    const auto most = static_cast<std::uint32_t>(std::min<std::uint64_t>(left, shm::kMostInRun));
    const std::uint32_t items = ring.try_reserve_run(kBytes, most);
    if (items == 0) {
      give_up("a link is full");
    }
    std::memset(ring.run_start(), 0, kBytes * items);
    ring.finish_run(kBytes, {.items = items, .sequences = shm::low_bits(items)}, {.sequence = ring.next_number()});
    left -= items;
  }
  ring.commit({.inputs_done = ring.next_number()});
}

std::uint64_t read_all(shm::RingReader& ring) {
  std::uint64_t items = 0;
  while (ring.try_peek() != nullptr) {
    ring.advance();
    ++items;
  }
  ring.release();
  return items;
}

/// Texts of one to forty bytes, as lines of a file are.
class Lines final : public RawSource<std::uint64_t> {
 public:
  explicit Lines(std::uint64_t count) : count_(count) {}
  bool produce(Output& out) override {
    const std::size_t size = 1 + cursor() * 7 % 40;
    std::memset(out.reserve(size).data(), 'x', size);
    out.emit_reserved(size);
    return ++cursor() < count_;
  }

 private:
  std::uint64_t count_;
};

using Write = void (*)(shm::RingWriter&);

/// A writer and a reader.
std::uint64_t run_ring(std::uint64_t items, Write write) {
  const shm::Segment segment = test::make_link(kLink);
  shm::RingWriter writer(segment.map_producer(0));
  shm::RingReader reader(segment.map_consumer(0), 0);
  std::uint64_t out = 0;
  for (std::uint64_t in = 0; in < items; in += kBatch) {
    write(writer);
    out += read_all(reader);
  }
  return out;
}

/// A writer, a worker with one stage, and a reader.
template <class Stage>
std::uint64_t run_worker(std::uint64_t items, Write write) {
  test::RigSpec spec;
  spec.link = kLink;
  spec.segments.push_back({.make = [] {
    std::vector<std::unique_ptr<StageAdapter>> stages;
    stages.push_back(detail::adapt(std::make_unique<Stage>()));
    return stages;
  }});
  const shm::Segment segment = test::make_rig_segment(spec);
  // A clock that all but stands: batches are as large as they get, however slow the machine that counts is.
  segment.map_supervisor().config->tick_multiplier = 1 << 16;
  test::RiggedWorker worker(segment, spec);
  shm::RingWriter writer(segment.map_producer(0));
  shm::RingReader reader(segment.map_consumer(1), 0);
  std::uint64_t out = 0;
  for (std::uint64_t in = 0; in < items; in += kBatch) {
    write(writer);
    while (worker.runner().run_batch()) {
    }
    out += read_all(reader);
  }
  return out;
}

/// A worker with a source, and a reader.
template <class Source, class... Arguments>
std::uint64_t run_source(std::uint64_t items, Arguments... arguments) {
  test::RigSpec spec;
  spec.link = kLink;
  spec.segments.push_back({.make =
                               [=] {
                                 std::vector<std::unique_ptr<StageAdapter>> stages;
                                 stages.push_back(detail::adapt(std::make_unique<Source>(items, arguments...)));
                                 return stages;
                               },
                           .has_source = true});
  const shm::Segment segment = test::make_rig_segment(spec);
  segment.map_supervisor().config->tick_multiplier = 1 << 16;
  test::RiggedWorker worker(segment, spec);
  shm::RingReader reader(segment.map_consumer(1), 0);
  std::uint64_t out = 0;
  while (!worker.runner().ended()) {
    worker.runner().run_batch();
    out += read_all(reader);
  }
  return out - 1;  // the end
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc == 3 ? argv[1] : "";
  const std::uint64_t items = argc == 3 ? std::strtoull(argv[2], nullptr, 10) / kBatch * kBatch : 0;
  std::uint64_t out = 0;
  if (what == "ring") {
    out = run_ring(items, write_batch);
  } else if (what == "runs") {
    out = run_ring(items, write_runs);
  } else if (what == "typed") {
    out = run_worker<TypedAddOne<kBytes>>(items, write_runs);
  } else if (what == "raw") {
    out = run_worker<RawAddOne>(items, write_batch);
  } else if (what == "source") {
    RunTimes times;
    times.open = true;
    out = run_source<RawNumbers>(items, kBytes, &times);
  } else if (what == "lines") {
    out = run_source<Lines>(items);
  } else {
    std::fprintf(stderr, "usage: counted_work ring|runs|typed|raw|source|lines ITEMS\n");
    return 2;
  }
  if (out != items) {
    std::fprintf(stderr, "%lu of %lu items came out\n", static_cast<unsigned long>(out),
                 static_cast<unsigned long>(items));
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
