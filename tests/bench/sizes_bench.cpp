// reserve, commit, peek and release of items of 64 B to 16 MiB whose payload nobody touches, on one link in one
// process: what the size of an item costs besides its bytes.

#include <string>

#include "harness.hpp"
#include "processes.hpp"
#include "shm/ring_reader.hpp"
#include "shm/ring_writer.hpp"

namespace {

using namespace pystream::bench;
namespace shm = pystream::shm;

constexpr std::size_t kLargest = 16 << 20;

std::string size_name(std::size_t bytes) {
  if (bytes >= 1 << 20) {
    return std::to_string(bytes >> 20) + " MiB";
  }
  return bytes >= 1024 ? std::to_string(bytes >> 10) + " KiB" : std::to_string(bytes) + " B";
}

/// Both ends of a link with the defaults of a pipeline's.
class Link {
 public:
  Link()
      : segment_(shm::Segment::create(
            {.workers = {{}, {}},
             .links = {{.producer = 0, .consumer = 1, .ring_bytes = 1 << 20, .item_limit = 64 << 20}},
             .plan = ""})),
        writer_(segment_.map_producer(0)),
        reader_(segment_.map_consumer(0), 0) {}

  /// One item from end to end.
  void pass(std::size_t bytes) {
    if (writer_.try_reserve(bytes) == nullptr) {
      give_up("the link is full");
    }
    writer_.finish(bytes, {.sequence = writer_.next_number()});
    writer_.commit({.inputs_done = writer_.next_number()});
    const shm::Record* record = reader_.try_peek();
    if (record == nullptr || record->payload.size() != bytes) {
      give_up("the item did not arrive");
    }
    reader_.advance();
    reader_.release();
  }

 private:
  shm::Segment segment_;
  shm::RingWriter writer_;
  shm::RingReader reader_;
};

}  // namespace

int main(int argc, char** argv) {
  Bench bench("sizes", argc, argv);
  pin_to(0);
  Link link;
  const int rounds = bench.scaled(2'000'000, 300'000);
  std::vector<Contender> sizes;
  for (std::size_t bytes = 64; bytes <= kLargest; bytes *= 4) {
    for (int i = 0; i < 100; ++i) {
      link.pass(bytes);  // the first use gets the memory
    }
    sizes.push_back({size_name(bytes), [&link, bytes, rounds] {
                       const std::int64_t began = process_cpu_ns();
                       for (int i = 0; i < rounds; ++i) {
                         link.pass(bytes);
                       }
                       return static_cast<double>(process_cpu_ns() - began) / rounds;
                     }});
  }
  bench.measure("one item", "ns", sizes);
  return bench.finish();
}
