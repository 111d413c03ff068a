// expect: with one, non-template operator()
#include <pystream/pipeline.hpp>

void refused() {
  pystream::Pipeline().add([](auto x) { return x; });
}
