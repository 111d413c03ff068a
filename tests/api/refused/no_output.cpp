// expect: a stage gives its output back
#include <pystream/pipeline.hpp>

void refused() {
  pystream::Pipeline().add([](int) {});
}
