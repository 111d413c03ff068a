#include "base/losses.hpp"

#include <cstdio>
#include <pystream/stage.hpp>

namespace pystream {
namespace {

// Of a process that is not a worker: never read.
std::atomic<std::uint64_t> g_own_losses{0};
std::atomic<std::uint64_t> g_own_number{0};

std::atomic<std::uint64_t>* g_losses = &g_own_losses;
std::atomic<std::uint64_t>* g_number = &g_own_number;

}  // namespace

void report_loss(std::string_view text) {
  std::fprintf(stderr, "lost: %.*s\n", static_cast<int>(text.size()), text.data());
  g_losses->store(g_losses->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

std::atomic<std::uint64_t>& surviving_number() noexcept {
  return *g_number;
}

namespace base {
void keep_in(std::atomic<std::uint64_t>& losses, std::atomic<std::uint64_t>& number) noexcept {
  g_losses = &losses;
  g_number = &number;
}
}  // namespace base

}  // namespace pystream
