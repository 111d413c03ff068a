#include "base/draining.hpp"

#include <atomic>
#include <cstdint>
#include <pystream/stage.hpp>

namespace pystream {
namespace {

/// Written by a signal handler, read by the stage's thread; no order with other memory is needed.
std::atomic<bool> g_draining{false};
static_assert(std::atomic<bool>::is_always_lock_free);

/// Set and reset by the worker's main thread.
std::atomic<const std::atomic<std::uint32_t>*> g_command{nullptr};

}  // namespace

bool draining() noexcept {
  const std::atomic<std::uint32_t>* const command = g_command.load(std::memory_order_relaxed);
  return g_draining.load(std::memory_order_relaxed) ||
         (command != nullptr && command->load(std::memory_order_relaxed) != 0);
}

namespace base {
DrainCommand::DrainCommand(const std::atomic<std::uint32_t>& command) noexcept {
  g_command.store(&command, std::memory_order_relaxed);
}
DrainCommand::~DrainCommand() {
  g_command.store(nullptr, std::memory_order_relaxed);
}

void set_draining() noexcept {
  g_draining.store(true, std::memory_order_relaxed);
}
}  // namespace base

}  // namespace pystream
