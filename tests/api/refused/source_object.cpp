// expect: give it to source() or sink()
#include <pystream/pipeline.hpp>

struct Numbers : pystream::Source<int> {
  std::optional<int> next() override { return 1; }
};

void refused() {
  pystream::Pipeline().add(Numbers());
}
