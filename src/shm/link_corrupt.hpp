#pragma once

#include <pystream/error.hpp>

namespace pystream::shm {

/// What stands in a link is nothing its other end can have written: its memory was damaged.
class LinkCorrupt : public Error {
 public:
  using Error::Error;
};

}  // namespace pystream::shm
