// expect: a stage takes one item
#include <pystream/pipeline.hpp>

void refused() {
  pystream::Pipeline().add([] { return 1; });
}
