#include "base/draining.hpp"

#include <atomic>
#include <pystream/stage.hpp>

namespace pystream {
namespace {

/// Written by a signal handler, read by the stage's thread; no order with other memory is needed.
std::atomic<bool> g_draining{false};
static_assert(std::atomic<bool>::is_always_lock_free);

}  // namespace

bool draining() noexcept {
  return g_draining.load(std::memory_order_relaxed);
}

namespace base {
void set_draining() noexcept {
  g_draining.store(true, std::memory_order_relaxed);
}
}  // namespace base

}  // namespace pystream
