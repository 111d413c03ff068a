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
std::atomic<const std::atomic<std::uint32_t>*> g_cut_short{nullptr};

}  // namespace

bool draining() noexcept {
  const std::atomic<std::uint32_t>* const command = g_command.load(std::memory_order_relaxed);
  return g_draining.load(std::memory_order_relaxed) ||
         (command != nullptr && command->load(std::memory_order_relaxed) != 0);
}

/// A sink that sees an end which the coordinator has caused also sees this word: it is stored before any command, and
/// the end arrives by commits and their acquire loads.
bool cut_short() noexcept {
  const std::atomic<std::uint32_t>* const word = g_cut_short.load(std::memory_order_relaxed);
  return word != nullptr && word->load(std::memory_order_relaxed) != 0;
}

namespace base {
DrainCommand::DrainCommand(const std::atomic<std::uint32_t>& command,
                           const std::atomic<std::uint32_t>& cut_short) noexcept {
  g_command.store(&command, std::memory_order_relaxed);
  g_cut_short.store(&cut_short, std::memory_order_relaxed);
}
DrainCommand::~DrainCommand() {
  g_command.store(nullptr, std::memory_order_relaxed);
  g_cut_short.store(nullptr, std::memory_order_relaxed);
}

void set_draining() noexcept {
  g_draining.store(true, std::memory_order_relaxed);
}
}  // namespace base

}  // namespace pystream
