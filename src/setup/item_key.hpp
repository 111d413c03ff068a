#pragma once

#include "plan/topology.hpp"
#include "shm/dealer.hpp"

namespace pystream::setup {

/// What tells the keys of the items in a link that is shared by key; empty for any other link.
///
/// An item without such a key (too few columns, too short, no JSON, no such value) has the empty key: all of those are
/// for the same replica.
shm::KeyOf key_of(const plan::LinkSpec& link);

}  // namespace pystream::setup
