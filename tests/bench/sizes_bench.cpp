// reserve, commit, peek and release of items of 64 B to 16 MiB whose payload nobody touches, on one link in one
// process: what the size of an item costs besides its bytes.

#include <string>

#include "bench/harness.hpp"
#include "bench/link_ends.hpp"
#include "bench/processes.hpp"

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

/// One item from end to end.
void pass(LinkEnds& link, std::size_t bytes) {
  if (link.writer.try_reserve(bytes) == nullptr) {
    give_up("the link is full");
  }
  link.writer.finish(bytes, {.sequence = link.writer.next_number()});
  link.writer.commit({.inputs_done = link.writer.next_number()});
  const shm::Record* record = link.reader.try_peek();
  if (record == nullptr || record->payload.size() != bytes) {
    give_up("the item did not arrive");
  }
  link.reader.advance();
  link.reader.release();
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench("sizes", argc, argv);
  pin_to(0);
  LinkEnds link;
  const int rounds = bench.scaled(2'000'000, 300'000);
  std::vector<Contender> sizes;
  for (std::size_t bytes = 64; bytes <= kLargest; bytes *= 4) {
    for (int i = 0; i < 100; ++i) {
      pass(link, bytes);  // the first use gets the memory
    }
    sizes.push_back({size_name(bytes), [&link, bytes, rounds] {
                       const std::int64_t began = process_cpu_ns();
                       for (int i = 0; i < rounds; ++i) {
                         pass(link, bytes);
                       }
                       return static_cast<double>(process_cpu_ns() - began) / rounds;
                     }});
  }
  bench.measure("one item", "ns", sizes);
  return bench.finish();
}
