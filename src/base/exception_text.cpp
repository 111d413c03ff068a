#include "base/exception_text.hpp"

#include <exception>

namespace pystream::base {

std::string exception_text() {
  try {
    throw;
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

}  // namespace pystream::base
