// expect: a sink gives nothing back
#include <pystream/pipeline.hpp>

void refused() {
  pystream::Pipeline().sink([](int n) { return n; });
}
