// expect: std::nullopt says that it has ended
#include <pystream/pipeline.hpp>

void refused() {
  pystream::Pipeline().source([] { return 1; });
}
