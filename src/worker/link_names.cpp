#include "worker/link_names.hpp"

namespace pystream::worker {

shm::LinkCorrupt named(const plan::Topology& topology, const shm::LinkCorrupt& error) {
  return {error.link(), topology.links.at(error.link()).name, error.damage()};
}

}  // namespace pystream::worker
