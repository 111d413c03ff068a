#include <unistd.h>

/// A plugin whose loading does not end.
namespace {

[[gnu::constructor]] void on_load() {
  ::sleep(3600);
}

}  // namespace
