#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pystream::base {

/// Tells a process from the one that forked it, without a system call: the mark that an object keeps from its making
/// differs from process_mark() in every child.
std::uint64_t process_mark() noexcept;

/// Names of the threads of this process beside the caller, as the kernel knows them. Those that this library starts
/// (their names begin with "pystream-") are left out: they hold nothing that a forked child needs.
std::vector<std::string> other_threads();

}  // namespace pystream::base
