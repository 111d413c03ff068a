#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "bench/bare_ring.hpp"

namespace pystream::bench {

/// How much a bare chain publishes at once, and holds.
struct BareShape {
  std::size_t ring_bytes = 1 << 20;
  std::uint64_t batch = 256;
};

/// One node: reads an item whole from `in`, adds 1 to its first word, writes it whole to `out`.
template <std::size_t kBytes>
void run_bare_node(BareRing<kBytes>* in, BareRing<kBytes>* out, std::uint64_t items, std::uint64_t batch) {
  std::uint64_t readable = 0;
  std::uint64_t writable = out != nullptr ? out->slots() : items;
  volatile std::uint64_t sum = 0;
  for (std::uint64_t at = 0; at < items;) {
    if (in != nullptr && readable == at) {
      readable = in->wait_written(at);
    }
    if (out != nullptr && writable == at) {
      writable = out->wait_room(at) + out->slots();
    }
    const std::uint64_t limit = in != nullptr ? readable : items;
    const std::uint64_t end = std::min({at + batch, limit, std::uint64_t{writable}});
    for (std::uint64_t i = at; i < end; ++i) {
      std::uint64_t value = i;
      if (in != nullptr) {
        std::memcpy(&value, in->slot(i), sizeof(value));
        ++value;
      }
      if (out == nullptr) {
        sum = sum + value;
        continue;
      }
      std::byte* to = out->slot(i);
      if (in != nullptr) {
        std::memcpy(to, in->slot(i), kBytes);
      } else {
        std::memset(to, 0, kBytes);
      }
      std::memcpy(to, &value, sizeof(value));
    }
    at = end;
    if (out != nullptr) {
      out->publish_written(at);
    }
    if (in != nullptr) {
      in->publish_read(at);
    }
  }
}

/// Processes in a row: the first makes the items, the last takes them. Items a second from the first item made to the
/// last one taken.
template <std::size_t kBytes>
double run_bare_chain(int nodes, std::uint64_t items, const BareShape& shape) {
  std::vector<BareRing<kBytes>> rings;
  for (int i = 0; i + 1 < nodes; ++i) {
    rings.emplace_back(shape.ring_bytes);
  }
  const Shared<RunTimes> times;
  Children children;
  for (int node = 0; node < nodes; ++node) {
    children.start([&, node] {
      BareRing<kBytes>* in = node > 0 ? &rings[static_cast<std::size_t>(node) - 1] : nullptr;
      BareRing<kBytes>* out = node + 1 < nodes ? &rings[static_cast<std::size_t>(node)] : nullptr;
      if (in == nullptr) {
        times->begin();
      }
      run_bare_node<kBytes>(in, out, items, shape.batch);
      if (out == nullptr) {
        times->end();
      }
    });
  }
  times->open = true;
  children.join();
  return static_cast<double>(items) / times->seconds();
}

/// The shape that is fastest here: the limit shall not depend on our guess.
template <std::size_t kBytes>
BareShape best_bare_shape(int nodes, std::uint64_t items) {
  BareShape best;
  double best_rate = 0;
  for (const std::size_t ring_bytes : {std::size_t{256} << 10, std::size_t{1} << 20}) {
    const std::uint64_t slots = std::max<std::uint64_t>(ring_bytes / kBytes, 4);
    for (const std::uint64_t batch : {slots / 64, slots / 16, slots / 4, slots}) {
      const BareShape shape{.ring_bytes = ring_bytes, .batch = std::max<std::uint64_t>(batch, 1)};
      const double rate =
          std::max(run_bare_chain<kBytes>(nodes, items, shape), run_bare_chain<kBytes>(nodes, items, shape));
      if (rate > best_rate) {
        best_rate = rate;
        best = shape;
      }
    }
  }
  return best;
}

}  // namespace pystream::bench
