#pragma once

namespace pystream::base {

/// Makes pystream::draining() true for the rest of this process. Async-signal-safe.
void set_draining() noexcept;

}  // namespace pystream::base
