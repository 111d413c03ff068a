#pragma once

#include <atomic>
#include <cstdint>

namespace pystream::base {

/// From now on report_loss() adds to `losses`, and surviving_number() is `number`. Both outlive the process.
/// REQUIRES: called before the first stage is made.
void keep_in(std::atomic<std::uint64_t>& losses, std::atomic<std::uint64_t>& number) noexcept;

}  // namespace pystream::base
