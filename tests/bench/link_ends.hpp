#pragma once

#include "shm/ring_reader.hpp"
#include "shm/ring_writer.hpp"
#include "shm/segment.hpp"

namespace pystream::bench {

/// Both ends of a link with the defaults of a pipeline's, in one process.
class LinkEnds {
  shm::Segment segment_ =
      shm::Segment::create({.workers = {{}, {}},
                            .links = {{.producer = 0, .consumers = {1}, .ring_bytes = 1 << 20, .item_limit = 64 << 20}},
                            .plan = ""});

 public:
  shm::RingWriter writer{segment_.map_producer(0)};
  shm::RingReader reader{segment_.map_consumer(0), 0};
};

}  // namespace pystream::bench
