#pragma once

#include <cstdint>
#include <pystream/hosted.hpp>

#include "shm/ring_reader.hpp"
#include "shm/ring_writer.hpp"

namespace pystream::worker {

/// Hands a stage, source or sink of plain items many of them in one call, straight from link to link. For each run: one
/// of the collect()s, work(), keep().
class RunLane {
 public:
  /// `hosted` must do runs: see Hosted::run_sizes(). A sink's `output` is terminal.
  RunLane(Hosted& hosted, shm::RingWriter& output, shm::WorkerPage& page);

  /// Takes up to `limit` items that are there, of the stage's type, and have room behind the stage; of sequence numbers
  /// from s on `ahead(s, most)` may be taken. How many; 0: none, or the next item is not of that kind.
  template <class Ahead>
  std::uint32_t collect(shm::RingReader& input, std::uint32_t limit, const Ahead& ahead);
  /// Of a source whose next item is number `next`.
  template <class Ahead>
  std::uint32_t collect(std::uint64_t next, std::int64_t entered_ns, std::uint32_t limit, const Ahead& ahead);

  /// Calls the stage; what it throws comes out as it is; done() items before that one are done.
  void work();
  std::uint32_t done() const { return run_.done(); }
  /// When all items of the run entered the pipeline.
  std::int64_t entered_ns() const { return entered_ns_; }
  /// Makes a record of what was given; how many items. It stays private until the commit.
  std::uint32_t keep();

 private:
  std::uint32_t room(std::uint32_t limit);

  Hosted& hosted_;
  shm::RingWriter& output_;
  detail::RunSizes sizes_;
  detail::ItemRun run_;
  std::int64_t entered_ns_ = 0;
};

template <class Ahead>
std::uint32_t RunLane::collect(shm::RingReader& input, std::uint32_t limit, const Ahead& ahead) {
  const shm::FoundItems found = input.try_items(sizes_.in, room(limit), ahead);
  run_.in = found.payload;
  run_.in_step = found.step;
  run_.sequence = found.sequence;
  run_.sequences = found.sequences;
  run_.first_number = input.next_number();
  entered_ns_ = found.entered_ns;
  return found.items;
}

template <class Ahead>
std::uint32_t RunLane::collect(std::uint64_t next, std::int64_t entered_ns, std::uint32_t limit, const Ahead& ahead) {
  const std::uint32_t items = ahead(next, room(limit));
  run_.sequence = next;
  run_.sequences = items == 0 ? 0 : ~std::uint64_t{0} >> (detail::ItemRun::kLargest - items);
  run_.first_number = next;
  entered_ns_ = entered_ns;
  return items;
}

}  // namespace pystream::worker
