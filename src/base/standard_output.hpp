#pragma once

namespace pystream::base {

/// Makes pystream::standard_output() give this descriptor for the rest of this process.
void set_standard_output(int fd) noexcept;

}  // namespace pystream::base
