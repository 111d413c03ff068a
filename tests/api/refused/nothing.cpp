// expect:
// The same program without a mistake compiles: what the others fail at is what they are meant to fail at.
#include <pystream/pipeline.hpp>

void accepted() {
  pystream::Pipeline()
      .add([](int x) { return std::to_string(x); })
      .add([](const std::string& text) -> std::optional<std::vector<int>> { return std::vector<int>(text.size()); })
      .forward(1);
}
