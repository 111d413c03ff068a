#pragma once

#include <array>
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

  /// Takes up to `limit` items that are there, of the stage's type, and `wanted(sequence)`, and have room behind the
  /// stage. How many; 0: none, or the next item is not of that kind.
  template <class Wanted>
  std::uint32_t collect(shm::RingReader& input, std::uint32_t limit, const Wanted& wanted);
  /// Of a source whose next item is number `next`.
  template <class Wanted>
  std::uint32_t collect(std::uint64_t next, std::int64_t entered_ns, std::uint32_t limit, const Wanted& wanted);

  std::size_t input_bytes() const { return sizes_.in; }
  /// Calls the stage; what it throws comes out as it is; done() items before that one are done.
  void work();
  std::uint32_t done() const { return run_.done(); }
  /// When the first `items` of the run, or what was given, entered the pipeline: the sum, modulo 2^64.
  std::uint64_t entered_sum(std::uint32_t items) const;
  std::uint64_t given_entered_sum() const;
  /// Makes records of what was given; how many. They stay private until the commit.
  std::uint32_t keep();

 private:
  std::uint32_t room(std::uint32_t limit);

  Hosted& hosted_;
  shm::RingWriter& output_;
  detail::RunSizes sizes_;
  detail::ItemRun run_;
};

template <class Wanted>
std::uint32_t RunLane::collect(shm::RingReader& input, std::uint32_t limit, const Wanted& wanted) {
  const auto take = [&](std::uint32_t index, std::uint64_t sequence, std::int64_t entered_ns) {
    run_.heads[index].sequence = sequence;
    run_.heads[index].entered_ns = entered_ns;
    return wanted(sequence);
  };
  run_.first_number = input.next_number();
  run_.items = input.try_run(sizes_.in, room(limit), take);
  run_.in = input.run_start();
  return run_.items;
}

template <class Wanted>
std::uint32_t RunLane::collect(std::uint64_t next, std::int64_t entered_ns, std::uint32_t limit, const Wanted& wanted) {
  const std::uint32_t most = room(limit);
  run_.first_number = next;
  run_.items = 0;
  for (; run_.items < most && wanted(next + run_.items); ++run_.items) {
    run_.heads[run_.items].sequence = next + run_.items;
    run_.heads[run_.items].entered_ns = entered_ns;
  }
  return run_.items;
}

}  // namespace pystream::worker
