// expect: string_view points into this process; use std::string
#include <pystream/pipeline.hpp>

void refused() {
  pystream::Pipeline().add([](std::string_view x) { return x; });
}
