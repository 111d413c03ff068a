#include <pystream/registry.hpp>

/// A plugin with a type that another one has, too.
namespace {

struct Add final : pystream::Stage<int> {
  int operator()(int number) override { return number; }
};

PYSTREAM_STAGE("test.add", Add);

}  // namespace
