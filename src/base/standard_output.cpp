#include "base/standard_output.hpp"

#include <unistd.h>

#include <pystream/stage.hpp>

namespace pystream {
namespace {

int g_standard_output = STDOUT_FILENO;  ///< set before there is a stage or a second thread

}  // namespace

int standard_output() noexcept {
  return g_standard_output;
}

namespace base {
void set_standard_output(int fd) noexcept {
  g_standard_output = fd;
}
}  // namespace base

}  // namespace pystream
