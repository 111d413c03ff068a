#include "worker/link_names.hpp"

namespace pystream::worker {

shm::LinkCorrupt named(const plan::Topology& topology, const shm::LinkCorrupt& error) {
  const bool is_terminal = error.link() >= topology.links.size();  // only the layout has it
  return {error.link(), is_terminal ? "behind the sink" : topology.links[error.link()].name, error.damage()};
}

}  // namespace pystream::worker
