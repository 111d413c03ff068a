#include <cstdio>

/// A plugin that writes where only the catalog may stand.
namespace {

[[gnu::constructor]] void on_load() {
  std::puts("hello from a plugin");
}

}  // namespace
