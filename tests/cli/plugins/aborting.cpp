#include <cstdlib>

/// A plugin that takes down whoever loads it.
namespace {

[[gnu::constructor]] void on_load() {
  std::abort();
}

}  // namespace
