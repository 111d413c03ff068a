#pragma once

#include "plan/topology.hpp"
#include "shm/link_corrupt.hpp"

namespace pystream::setup {

/// The same error by the name that `graph` and the profile give its link: "Producer -> Consumer".
shm::LinkCorrupt named(const plan::Topology& topology, const shm::LinkCorrupt& error);

/// Does something with links of `topology`; the error of one that is damaged names it.
template <class Work>
decltype(auto) naming_links(const plan::Topology& topology, const Work& work) {
  try {
    return work();
  } catch (const shm::LinkCorrupt& error) {
    throw named(topology, error);
  }
}

}  // namespace pystream::setup
