// expect: sources and sinks belong to plans
#include <pystream/pipeline.hpp>

struct Numbers : pystream::Source<int> {
  std::optional<int> next() override { return 1; }
};

void refused() {
  pystream::Pipeline().add(Numbers());
}
