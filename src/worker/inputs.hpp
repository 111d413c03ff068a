#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/mutation.hpp"
#include "shm/ring_reader.hpp"
#include "shm/ring_writer.hpp"

namespace pystream::worker {

/// The links that a segment reads; none: a source stands in front. Releases what was read, and sleeps until there is
/// more.
///
/// An input that a record of the output refers to is not released before that record is. So the sleep of a segment that
/// forwards is a sleep for two things; see wait().
class Inputs {
 public:
  /// `inputs_done`: as the output's journal says. `output` outlives this.
  Inputs(std::vector<shm::ConsumerEnd> links, std::uint64_t inputs_done, shm::RingWriter& output, std::int64_t spin_ns);

  bool any() const { return !links_.empty(); }
  /// The link of the next input. REQUIRES: any().
  shm::RingReader& link() { return links_.front(); }
  const shm::RingReader& link() const { return links_.front(); }

  /// From here on the output may refer to large inputs. REQUIRES: no input was read.
  void allow_references();
  /// Releases the inputs that were stepped over, but for those that output records refer to. REQUIRES: their commit.
  void release() {
    const bool retain = !base::mutated(base::Mutation::release_referred_inputs);
    link().release(link().mark(), retain ? output_.oldest_referred() : std::nullopt);
  }
  bool has_unreleased() const { return any() && link().has_unreleased(); }
  /// Sleeps until there may be more input, releasing meanwhile what output records cease to refer to. It may return
  /// early. REQUIRES: any(); everything that was stepped over is committed.
  void wait();

 private:
  void wait_while_referred();

  std::vector<shm::RingReader> links_;
  shm::RingWriter& output_;
  std::int64_t spin_ns_;
};

}  // namespace pystream::worker
