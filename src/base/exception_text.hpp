#pragma once

#include <string>

namespace pystream::base {

/// What the exception that is being handled says. REQUIRES: called from a handler.
std::string exception_text();

}  // namespace pystream::base
