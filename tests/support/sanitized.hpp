#pragma once

namespace pystream::test {

/// Built with AddressSanitizer, which reports faults by itself and whose checks are instructions, too.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace pystream::test
