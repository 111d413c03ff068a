#include <pystream/registry.hpp>
#include <string>

/// A stage of one's own, for plans.
struct Scale : pystream::Stage<std::string> {
  std::string operator()(std::string line) override { return std::to_string(std::stoi(line) * 2); }
};
PYSTREAM_STAGE("demo.scale", Scale);
