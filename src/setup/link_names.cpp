#include "setup/link_names.hpp"

namespace pystream::setup {

shm::LinkCorrupt named(const plan::Topology& topology, const shm::LinkCorrupt& error) {
  return {error.link(), topology.links.at(error.link()).name, error.damage()};
}

}  // namespace pystream::setup
