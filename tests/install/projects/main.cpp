#include <pystream/pystream.hpp>

int main() {
  pystream::Pipeline pipeline;
  pipeline.add([](int x) { return x + 1; }).add([](int x) { return x * 2; });
  pipeline.parallelize({.block_output = true});
  return pipeline.forward(20) && pipeline.get_results<int>() == 42 ? 0 : 1;
}
