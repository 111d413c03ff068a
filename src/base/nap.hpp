#pragma once

#include <cstdint>

namespace pystream::base {

/// Sleeps for about so long, without the slack that the kernel usually adds (50 us). A signal ends it early.
void nap(std::int64_t ns) noexcept;

}  // namespace pystream::base
