#pragma once

#include <string>

namespace pystream::base {

/// The text of the exception that is being handled. REQUIRES: called from a handler.
std::string exception_text();

}  // namespace pystream::base
