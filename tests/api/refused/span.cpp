// expect: span points into this process; use std::vector
#include <pystream/pipeline.hpp>

void refused() {
  pystream::Pipeline().add([](std::span<const int> x) { return x[0]; });
}
