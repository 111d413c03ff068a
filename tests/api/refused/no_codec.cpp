// expect: this type has no Codec
#include <map>
#include <pystream/pipeline.hpp>

void refused() {
  pystream::Pipeline().add([](std::map<int, int> x) { return x; });
}
