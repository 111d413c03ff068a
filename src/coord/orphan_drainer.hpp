#pragma once

#include <cstdint>
#include <vector>

#include "plan/topology.hpp"
#include "shm/ring_reader.hpp"
#include "shm/ring_writer.hpp"

namespace pystream::coord {

/// Takes the place of a user's process that has died: ends what it fed, and takes the results that nobody can read
/// any more, so that everything inside can come out. Never blocks.
class OrphanDrainer {
 public:
  /// REQUIRES: the user's process has ended. `topology` outlives this object. Throws LinkCorrupt, which names the link.
  OrphanDrainer(const plan::Topology& topology, const shm::Segment& segment);

  /// Does what can be done now; call it again after a short while until ended(). Throws LinkCorrupt.
  void advance();
  /// The end has come out everywhere.
  bool ended() const;
  std::uint64_t discarded() const { return discarded_; }

 private:
  struct Fed {
    shm::RingWriter ring;
    bool ended = false;
  };
  struct Read {
    shm::RingReader ring;
    bool ended = false;
  };
  void take_over(const shm::Segment& segment);
  static void end(Fed& link);
  void discard(Read& link);

  const plan::Topology& topology_;
  std::vector<Fed> fed_;
  std::vector<Read> read_;
  std::uint64_t discarded_ = 0;
};

}  // namespace pystream::coord
