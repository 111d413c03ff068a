// expect: a pointer means nothing in another process
#include <pystream/pipeline.hpp>

void refused() {
  pystream::Pipeline().add([](int) -> const char* { return "text"; });
}
